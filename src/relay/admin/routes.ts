/**
 * What the relay reports over HTTP: probes (`/livez`, `/readyz`), `/status` in JSON, `/metrics` for Prometheus, and a
 * page for people.
 *
 * Vocabulary: the *status* is one snapshot of everything that runs (`RelayStatus`); metrics and page show the status.
 *
 * Guarantee: the admin server reads, and changes nothing.
 */
import { json, text, type HttpResponse, type Routes } from '../../telemetry/health-server.ts';
import { relayRegistry } from './metrics.ts';
import type { RelayStatus } from './status.ts';
import { relaySummary } from './summary.ts';

/**
 * The routes of the relay's admin server.
 *
 * @param refresh  brings up to date what `status` reports.
 */
export function adminRoutes(
  status: () => RelayStatus,
  refresh = (): Promise<void> => Promise.resolve(),
): Routes {
  const registry = relayRegistry(status);
  return {
    '/': page,
    '/livez': () => text(200, 'ok\n'),
    '/readyz': () => readiness(status()),
    '/status': async () => {
      await refresh();
      return json(200, status());
    },
    '/summary': async () => {
      await refresh();
      return json(200, relaySummary(status()));
    },
    '/metrics': async () => {
      await refresh();
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    },
  };
}

/** The page; loaded at its first request, since most relays get none. */
async function page(): Promise<HttpResponse> {
  const { html, policy } = await import('./page/html.ts');
  const headers = { 'content-security-policy': policy, 'referrer-policy': 'no-referrer' };
  return { status: 200, type: 'text/html; charset=utf-8', body: html, headers };
}

/** 200, or 503 with a line for each reason. */
function readiness({ ready, draining, endpoints }: RelayStatus): HttpResponse {
  if (ready) return text(200, 'ok\n');
  const missing = endpoints
    .filter((endpoint) => !endpoint.ready)
    .map(({ name, message }) => `endpoint "${name}" is not ready: ${message}`);
  const lines = [...(draining ? ['draining'] : []), ...missing];
  return text(503, `${lines.length === 0 ? 'starting' : lines.join('\n')}\n`);
}
