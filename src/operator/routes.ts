import type { Clock } from '../lib/clock.ts';
import { sharedResult } from '../lib/shared-result.ts';
import { type HttpResponse, json, type RouteRequest, type Routes, text } from '../telemetry/health-server.ts';
import type { Registry } from '../telemetry/metrics.ts';
import { installationRemedy } from './installations.ts';
import { relaysReporter, type ReportedOperator } from './relays-report.ts';
import { watchText } from './watches.ts';

/** What the health server asks the operator. */
export type OperatorHealth = ReportedOperator & {
  /** How many RealmRelays other installations serve, by the name of the installation. */
  readonly relaysOfOthers: () => ReadonlyMap<string, number>;
};

/**
 * The routes of the operator's health server: `/livez` succeeds while the program runs, `/readyz` once it serves RealmRelays,
 * with the watches that do not work and other installations that serve RealmRelays, and `/metrics` is for Prometheus; it is computed at most once a second.
 *
 * `/` is a page of all RealmRelays, and `/relays` what it shows, in JSON. Names and messages are of every namespace, so both
 * are for this machine or Pod alone: whoever may forward a port of the Pod.
 */
export function operatorRoutes(health: OperatorHealth, registry: Registry, clock: Clock): Routes {
  const metrics = sharedResult(() => registry.metrics(), { clock, freshMs: 1000 });
  const report = relaysReporter(health, clock);
  return {
    '/': localOnly(page),
    '/livez': () => text(200, 'ok\n'),
    '/readyz': () => readiness(health),
    '/relays': localOnly(({ query }) =>
      json(200, report({ words: query.get('filter') ?? '', onlyProblems: query.has('problems') })),
    ),
    '/metrics': async () => ({ status: 200, type: registry.contentType, body: await metrics() }),
  };
}

function localOnly(route: Routes[string]): Routes[string] {
  return (request: RouteRequest) =>
    request.isLocal
      ? route(request)
      : text(403, 'only for this machine: use kubectl port-forward, and localhost as host\n');
}

/** The page; loaded at its first request, since most operators get none. */
async function page(): Promise<HttpResponse> {
  const { html, policy } = await import('./page/html.ts');
  const headers = { 'content-security-policy': policy, 'referrer-policy': 'no-referrer' };
  return { status: 200, type: 'text/html; charset=utf-8', body: html, headers };
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
