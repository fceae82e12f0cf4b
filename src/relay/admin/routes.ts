/**
 * What the relay reports over HTTP: probes (`/livez`, `/readyz`), `/status` in JSON, `/metrics` for Prometheus, and a
 * page for people.
 *
 * Vocabulary: the *status* is one snapshot of everything that runs (`RelayStatus`); metrics and page show the status.
 *
 * Guarantee: the admin server reads, and changes nothing. However many clients it has, each second it computes one
 * status for probes and one for everyone else.
 */
import type { Clock } from '../../lib/clock.ts';
import { sharedResult } from '../../lib/shared-result.ts';
import { json, text, type HttpResponse, type Routes } from '../../telemetry/health-server.ts';
import { relayRegistry } from './metrics.ts';
import type { RelayStatus } from './status.ts';

/** How long responses may reuse what was computed for another request. */
const freshMs = 1000;

/** The relay, as the admin server reports it. */
export type ReportedRelay = {
  readonly status: () => RelayStatus;
  /** Brings up to date what `status` reports of workers. */
  readonly refresh: () => Promise<void>;
  /** Changes with the configuration and the stage of the relay: an earlier status is out of date then. */
  readonly revision: number;
};

/** The routes of the relay's admin server. */
export function adminRoutes(relay: ReportedRelay, clock: Clock): Routes {
  const options = { clock, freshMs, revision: () => relay.revision };
  const scrape = sharedResult(() => new Scrape(relay), options);
  const probed = sharedResult(() => readiness(relay.status()), options);
  return {
    '/': page,
    '/livez': () => text(200, 'ok\n'),
    '/readyz': probed,
    '/status': () => scrape().status,
    '/metrics': () => scrape().metrics,
  };
}

/** The responses of about one moment, each computed once if a client wants it. */
class Scrape {
  readonly #taken: Promise<RelayStatus>;
  #status: Promise<HttpResponse> | undefined;
  #metrics: Promise<HttpResponse> | undefined;

  constructor(relay: ReportedRelay) {
    this.#taken = relay.refresh().then(() => relay.status());
  }

  get status(): Promise<HttpResponse> {
    this.#status ??= this.#taken.then((status) => json(200, status));
    return this.#status;
  }

  get metrics(): Promise<HttpResponse> {
    this.#metrics ??= this.#taken.then(metrics);
    return this.#metrics;
  }
}

/** A registry for each scrape: one that stays would keep every label of the last one in memory. */
async function metrics(status: RelayStatus): Promise<HttpResponse> {
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
    .filter((endpoint) => !endpoint.ready)
    .map(({ name, message }) => `endpoint "${name}" is not ready: ${message}`);
  const lines = [...(draining ? ['draining'] : []), ...missing];
  return text(503, `${lines.length === 0 ? 'starting' : lines.join('\n')}\n`);
}
