/**
 * What the relay reports over HTTP: probes (`/livez`, `/readyz`), `/status` in JSON, `/metrics` for Prometheus, and a
 * page for people.
 *
 * Vocabulary: the *status* is one snapshot of everything that runs (`RelayStatus`); metrics and page show the status.
 *
 * Guarantee: the admin server reads, and changes nothing. However many clients it has, it computes the
 * metrics once a second at most, and the status ten times.
 */
import type { Clock } from '../../lib/clock.ts';
import { sharedResult } from '../../lib/shared-result.ts';
import { json, text, type HttpResponse, type Routes } from '../../telemetry/health-server.ts';
import { relayRegistry } from './metrics.ts';
import type { RelayStatus } from './status.ts';
import { relaySummary } from './summary.ts';

/** How long a status serves the requests after the one that it was computed for. */
const statusFreshMs = 100;
/** The same for metrics, which cost more to compute, and which nobody scrapes more often. */
const metricsFreshMs = 1000;

/** The relay, as the admin server reports it. */
export type ReportedRelay = {
  readonly status: () => RelayStatus;
  /** Brings up to date what `status` reports of other threads. */
  readonly refresh: () => Promise<void>;
  /** Changes with the configuration and the stage of the relay: an earlier status is out of date then. */
  readonly revision: number;
};

/** The routes of the relay's admin server. */
export function adminRoutes(relay: ReportedRelay, clock: Clock): Routes {
  const revision = (): number => relay.revision;
  const taken = sharedResult(() => new Snapshot(relay), { clock, freshMs: statusFreshMs, revision });
  const probed = sharedResult(() => readiness(relay.status()), { clock, freshMs: statusFreshMs, revision });
  const scrape = sharedResult(() => metrics(relay), { clock, freshMs: metricsFreshMs, revision });
  return {
    '/': page,
    '/livez': () => text(200, 'ok\n'),
    '/readyz': probed,
    '/status': () => taken().status,
    '/summary': () => taken().summary,
    '/metrics': scrape,
  };
}

/** The status of one moment, each form of it computed once if a client wants it. */
class Snapshot {
  readonly #taken: Promise<RelayStatus>;
  #status: Promise<HttpResponse> | undefined;
  #summary: Promise<HttpResponse> | undefined;

  constructor(relay: ReportedRelay) {
    this.#taken = relay.refresh().then(() => relay.status());
  }

  get status(): Promise<HttpResponse> {
    this.#status ??= this.#taken.then((status) => json(200, status));
    return this.#status;
  }

  get summary(): Promise<HttpResponse> {
    this.#summary ??= this.#taken.then((status) => json(200, relaySummary(status)));
    return this.#summary;
  }
}

/** A registry for each scrape: one that stays would keep every label of the last one in memory. */
async function metrics(relay: ReportedRelay): Promise<HttpResponse> {
  await relay.refresh();
  const status = relay.status();
  const registry = relayRegistry(() => status);
  return { status: 200, type: registry.contentType, body: await registry.metrics() };
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
    .filter((endpoint) => !endpoint.ready && endpoint.required)
    .map(({ name, message }) => `endpoint "${name}" is not ready: ${message}`);
  const lines = [...(draining ? ['draining'] : []), ...missing];
  return text(503, `${lines.length === 0 ? 'starting' : lines.join('\n')}\n`);
}
