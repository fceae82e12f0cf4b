import type { Clock } from '../lib/clock.ts';
import { sharedResult } from '../lib/shared-result.ts';
import { type HttpResponse, type Routes, text } from '../telemetry/health-server.ts';
import type { Registry } from '../telemetry/metrics.ts';
import { watchText, type WatchProblem } from './watches.ts';

/** What the health server asks the operator. */
export type OperatorHealth = {
  readonly isReady: () => boolean;
  readonly watchProblems: () => readonly WatchProblem[];
};

/**
 * The routes of the operator's health server: `/livez` succeeds while the program runs, `/readyz` once it serves RealmRelays,
 * with the watches that do not work, and `/metrics` is for Prometheus; it is computed at most once a second.
 */
export function operatorRoutes(health: OperatorHealth, registry: Registry, clock: Clock): Routes {
  const metrics = sharedResult(() => registry.metrics(), { clock, freshMs: 1000 });
  return {
    '/livez': () => text(200, 'ok\n'),
    '/readyz': () => readiness(health),
    '/metrics': async () => ({ status: 200, type: registry.contentType, body: await metrics() }),
  };
}

/** A watch that does not work is no reason to take the Pod out of service: it serves everything else. */
function readiness({ isReady, watchProblems }: OperatorHealth): HttpResponse {
  const problems = watchProblems().map((problem) => `${watchText(problem)}\n`);
  if (!isReady()) return text(503, ['waiting for the API server\n', ...problems].join(''));
  return text(200, ['ok\n', ...problems].join(''));
}
