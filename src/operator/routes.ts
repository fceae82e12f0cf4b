import type { Clock } from '../lib/clock.ts';
import { sharedResult } from '../lib/shared-result.ts';
import { type HttpResponse, type Routes, text } from '../telemetry/health-server.ts';
import type { Registry } from '../telemetry/metrics.ts';
import { installationRemedy } from './installations.ts';
import { watchText, type WatchProblem } from './watches.ts';

/** What the health server asks the operator. */
export type OperatorHealth = {
  readonly isReady: () => boolean;
  readonly watchProblems: () => readonly WatchProblem[];
  /** How many RealmRelays other installations serve, by the name of the installation. */
  readonly relaysOfOthers: () => ReadonlyMap<string, number>;
};

/**
 * The routes of the operator's health server: `/livez` succeeds while the program runs, `/readyz` once it serves RealmRelays,
 * with the watches that do not work and other installations that serve RealmRelays, and `/metrics` is for Prometheus; it is computed at most once a second.
 */
export function operatorRoutes(health: OperatorHealth, registry: Registry, clock: Clock): Routes {
  const metrics = sharedResult(() => registry.metrics(), { clock, freshMs: 1000 });
  return {
    '/livez': () => text(200, 'ok\n'),
    '/readyz': () => readiness(health),
    '/metrics': async () => ({ status: 200, type: registry.contentType, body: await metrics() }),
  };
}

/** What is not served is no reason to take the Pod out of service: it serves everything else. */
function readiness({ isReady, watchProblems, relaysOfOthers }: OperatorHealth): HttpResponse {
  const others = [...relaysOfOthers()].map(
    ([installation, count]) =>
      `installation "${installation}" serves ${String(count)} RealmRelays, which this one leaves to it: ${installationRemedy}`,
  );
  const problems = [...watchProblems().map(watchText), ...others].map((problem) => `${problem}\n`);
  if (!isReady()) return text(503, ['waiting for the API server\n', ...problems].join(''));
  return text(200, ['ok\n', ...problems].join(''));
}
