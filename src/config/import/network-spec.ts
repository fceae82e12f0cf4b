import type { EndpointSpec, NetworkSpec } from '../../api/schema/realm-relay.ts';
import { differingFields } from '../field-table.ts';
import { healthCheckKeys, type HealthCheckConfig } from '../health-check-keys.ts';
import { writtenOf } from '../key-table.ts';
import { writtenNetwork, type EndpointNetwork } from '../network-keys.ts';
import { healthCheckFields, networkFields } from '../spec-fields.ts';

/**
 * `network` as a RealmRelay says it where `base` holds already; undefined where nothing is to say. No endpoint can take
 * back a list of `base`: its own is never empty then.
 */
export function networkSpec(network: EndpointNetwork, base: EndpointNetwork): NetworkSpec | undefined {
  const spec = differingFields(networkFields, writtenNetwork(network), writtenNetwork(base));
  return Object.keys(spec).length === 0 ? undefined : spec;
}

/** `check` as a RealmRelay says it, without what holds anyway. */
export function healthCheckSpec(check: HealthCheckConfig): NonNullable<EndpointSpec['healthCheck']> {
  return differingFields(
    healthCheckFields,
    writtenOf(healthCheckKeys, check),
    writtenOf(healthCheckKeys, {}),
  );
}
