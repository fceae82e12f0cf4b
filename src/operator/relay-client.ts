import { get } from 'node:http';
import { text } from 'node:stream/consumers';
import { adminPort } from '../api/schema/realm-relay.ts';
import { systemClock } from '../lib/clock.ts';
import { withTimeout } from '../lib/with-timeout.ts';

/** How long a relay has for its answer. */
const timeoutMs = 1_000;

/** What a relay Pod says of itself, as far as the operator needs it. */
export type RelayReport = {
  /** SHA-256, in hexadecimal, of the configuration that it runs. */
  readonly configHash: string;
  /** Why it does not run the newest that it was given; '' where it does. */
  readonly configProblem: string;
  /** The endpoints that it does not serve, each with the reason and the remedy. */
  readonly unready: readonly { readonly name: string; readonly message: string }[];
};

/** Asks the relay at an IP address for its report. Rejects where it does not answer. */
export type FetchRelayReport = (address: string) => Promise<RelayReport>;

/**
 * Asks the relay at `address`, which has 1 s, by its admin server's `/status`.
 *
 * @param port  of the admin server; every relay Pod has the same.
 * @throws what `node:http` does where it cannot be reached; `AbortError`; SyntaxError where something else answers.
 */
export async function fetchRelayReport(address: string, port = adminPort): Promise<RelayReport> {
  const limits = { clock: systemClock, timeoutMs: timeoutMs, signals: [] };
  const answer = await withTimeout(limits, (signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    // No agent, since the next question is a while off.
    get({ host: address, port, path: '/status', agent: false, signal }, (response) => {
      text(response).then(resolve, reject);
    }).on('error', reject);
    return promise;
  });
  return relayReport(JSON.parse(answer));
}

/**
 * The report in the JSON of `/status`. What is not there is taken as unknown: relays of other versions answer, too.
 *
 * @throws SyntaxError where it is no status.
 */
export function relayReport(value: unknown): RelayReport {
  const status = record(value);
  if (typeof status['configHash'] !== 'string') throw new SyntaxError('not the status of a relay');
  const unready = list(status['endpoints']).filter(({ ready }) => ready === false);
  return {
    configHash: status['configHash'],
    configProblem: word(status['configProblem']),
    unready: unready.map((endpoint) => ({ name: word(endpoint['name']), message: faultText(endpoint) })),
  };
}

/** The reasons for machines before the message for people, as `kubectl` users are used to. */
function faultText(endpoint: Fields): string {
  const reasons = list(endpoint['sockets'])
    .map(({ reason }) => word(reason))
    .filter((reason) => reason !== '');
  const message = word(endpoint['message']);
  return [[...new Set(reasons)].toSorted().join(', '), message].filter((part) => part !== '').join(': ');
}

type Fields = Readonly<Record<string, unknown>>;

function record(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(record) : [];
}

function word(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
