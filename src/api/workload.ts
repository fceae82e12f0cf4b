import { present } from '../lib/record.ts';
import type { Relay } from './relay.ts';
import type { RealmRelaySpec } from './schema.ts';

/** What the user wrote of the workload, defaults applied. */
export function resolvedWorkload(spec: RealmRelaySpec): Pick<Relay, 'podDisruptionBudget'> {
  const { podDisruptionBudget: budget } = spec;
  return {
    ...present('podDisruptionBudget', budget && { maxUnavailable: budget.maxUnavailable ?? 1 }),
  };
}
