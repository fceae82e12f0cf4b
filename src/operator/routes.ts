import type { Clock } from '../lib/clock.ts';
import { sharedResult } from '../lib/shared-result.ts';
import { type Routes, text } from '../telemetry/health-server.ts';
import type { Registry } from '../telemetry/metrics.ts';

/**
 * The routes of the operator's health server: `/livez` succeeds while the program runs, `/readyz` once `isReady`, and
 * `/metrics` is for Prometheus; it is computed at most once a second.
 */
export function operatorRoutes(isReady: () => boolean, registry: Registry, clock: Clock): Routes {
  const metrics = sharedResult(() => registry.metrics(), { clock, freshMs: 1000 });
  return {
    '/livez': () => text(200, 'ok\n'),
    '/readyz': () => (isReady() ? text(200, 'ok\n') : text(503, 'waiting for the API server\n')),
    '/metrics': async () => ({ status: 200, type: registry.contentType, body: await metrics() }),
  };
}
