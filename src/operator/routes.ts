import { type Routes, text } from '../telemetry/health-server.ts';
import type { Registry } from '../telemetry/metrics.ts';

/**
 * The routes of the operator's health server: `/livez` succeeds while the program runs, `/readyz` once `isReady`, and
 * `/metrics` is for Prometheus.
 */
export function operatorRoutes(isReady: () => boolean, registry: Registry): Routes {
  return {
    '/livez': () => text(200, 'ok\n'),
    '/readyz': () => (isReady() ? text(200, 'ok\n') : text(503, 'waiting for the API server\n')),
    '/metrics': async () => ({ status: 200, type: registry.contentType, body: await registry.metrics() }),
  };
}
