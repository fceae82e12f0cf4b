import { createHash } from 'node:crypto';
import type { Fault, Passing } from '../operator/fault-proxy.ts';

/** What a network, a proxy or an API server does on a bad day; each plan does one of these, `mixed` all of them in turn. */
const faults: Readonly<Record<string, readonly Maker[]>> = {
  delay: [(random) => ({ delayMs: 1 + Math.floor(random * 250) })],
  drop: [() => 'cut'],
  'lost answer': [() => 'lost answer'],
  'half an answer': [() => 'half an answer'],
  repeat: [() => 'repeat'],
  silence: [() => 'silence'],
  unauthorized: answers(401, 'Unauthorized'),
  forbidden: answers(403, 'Forbidden'),
  conflict: answers(409, 'Conflict'),
  gone: answers(410, 'Expired'),
  'too many requests': answers(429, 'TooManyRequests', { 'retry-after': '20' }),
  'server error': [
    ...answers(500, 'InternalError'),
    ...answers(503, 'ServiceUnavailable'),
    ...answers(504, 'Timeout'),
  ],
  'a watch that ends': [
    () => ({ watchEnds: 'cleanly' }),
    () => ({ watchEnds: { status: 410, reason: 'Expired' } }),
    () => ({ watchEnds: { status: 500, reason: 'InternalError' } }),
  ],
  'a watch from the past': [(_random, resourceVersion) => ({ resourceVersion })],
  'events out of order': [(random) => ({ eventsDelayMs: 1 + Math.floor(random * 400) })],
};

type Maker = (random: number, pastVersion: string) => Fault;

/** The same error as an API server answers it, and as a proxy does. */
function answers(status: number, reason: string, headers: Readonly<Record<string, string>> = {}): Maker[] {
  return [() => ({ status, reason, headers }), () => ({ status, headers })];
}

/** The names of all plans, besides `stalled watches` and `outage`, which are not about single requests. */
export const planNames: readonly string[] = [...Object.keys(faults), 'stalled watches', 'outage', 'mixed'];

/** How many requests meet with a fault, at most: then the bad day is over. */
const maxFaults = 60;
/** The share of requests that meet with one. */
const rate = 0.35;

/**
 * Decides what happens to each request. The decision depends on the seed, on the request and on how often it was sent, not on the
 * order in which requests of several turns arrive: so a seed gives the same faults again.
 */
export class FaultPlan {
  readonly #seed: string;
  readonly #makers: readonly Maker[];
  readonly #pastVersion: string;
  readonly #counts = new Map<string, number>();
  #left = maxFaults;

  /**
   * @param name  of `planNames`.
   * @param pastVersion  the resource version at which watches from the past begin.
   */
  constructor(name: string, seed: number, pastVersion: string) {
    this.#pastVersion = pastVersion;
    this.#seed = `${name} ${String(seed)}`;
    this.#makers = name === 'mixed' ? Object.values(faults).flat() : (faults[name] ?? []);
  }

  /** How many requests met with a fault. */
  get count(): number {
    return maxFaults - this.#left;
  }

  /** Ends the bad day. */
  end(): void {
    this.#left = 0;
  }

  /** What happens to `request`; `namespace` is that of the run. */
  fault({ method, url }: Passing, namespace: string): Fault | undefined {
    if (this.#left === 0) return undefined;
    const request = `${method} ${url.pathname.replace(namespace, '')} ${String(url.searchParams.has('watch'))}`;
    const count = (this.#counts.get(request) ?? 0) + 1;
    this.#counts.set(request, count);
    const [chance, choice, detail] = numbers(`${this.#seed} ${request} ${String(count)}`);
    const fault = this.#makers[Math.floor(choice * this.#makers.length)]?.(detail, this.#pastVersion);
    if (fault === undefined || chance > rate || !fits(fault, url)) return undefined;
    this.#left -= 1;
    return fault;
  }
}

/** Some faults are those of watches alone. */
function fits(fault: Fault, url: URL): boolean {
  const isOfWatch = ['resourceVersion', 'eventsDelayMs', 'watchEnds'].some(
    (key) => typeof fault === 'object' && key in fault,
  );
  return !isOfWatch || url.searchParams.has('watch');
}

/** Three numbers in [0, 1) that depend on `text`. */
function numbers(text: string): [number, number, number] {
  const hash = createHash('sha256').update(text).digest();
  const at = (offset: number): number => hash.readUInt32LE(offset) / 2 ** 32;
  return [at(0), at(4), at(8)];
}
