import { json, text, type HttpResponse, type Routes } from '../../telemetry/health-server.ts';
import { relayRegistry } from './metrics.ts';
import type { RelayStatus } from './status.ts';
import { relaySummary } from './summary.ts';

/**
 * What the admin server of the relay answers.
 *
 * @param refresh  brings what `status` tells up to date.
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

/** For people; loaded when somebody looks, since most relays are never looked at. */
async function page(): Promise<HttpResponse> {
  const { html, policy } = await import('./page/html.ts');
  const headers = { 'content-security-policy': policy, 'referrer-policy': 'no-referrer' };
  return { status: 200, type: 'text/html; charset=utf-8', body: html, headers };
}

/** 200, or 503 with what is missing, one a line. */
function readiness({ ready, draining, endpoints }: RelayStatus): HttpResponse {
  if (ready) return text(200, 'ok\n');
  const missing = endpoints
    .filter((endpoint) => !endpoint.ready)
    .map(({ name, message }) => `endpoint "${name}" is not ready: ${message}`);
  const lines = [...(draining ? ['draining'] : []), ...missing];
  return text(503, `${lines.length === 0 ? 'starting' : lines.join('\n')}\n`);
}
