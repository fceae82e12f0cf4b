import { get } from 'node:http';
import { text } from 'node:stream/consumers';
import { adminPort } from '../api/schema/realm-relay.ts';
import { systemClock } from '../lib/clock.ts';
import { withTimeout } from '../lib/with-timeout.ts';

/** How long a relay may take to respond. */
const timeoutMs = 1_000;

/** What a relay Pod reports, as far as the operator needs it. */
export type RelayReport = {
  /** SHA-256, in hexadecimal, of the configuration that it runs. */
  readonly configHash: string;
  /** Why it does not run the newest configuration that it got; '' if it does. */
  readonly configProblem: string;
  /** The endpoints that it does not serve, each with reason and remedy. */
  readonly unready: readonly { readonly name: string; readonly message: string }[];
};

/** Fetches the report of the relay at an IP address. Rejects if it does not respond. */
export type FetchRelayReport = (address: string) => Promise<RelayReport>;

/**
 * Fetches `/status` from the admin server of the relay at `address`, within 1 s.
 *
 * @param port  of the admin server, which is the same in every relay Pod.
 * @throws the error of `node:http` if it cannot be reached; `AbortError` after 1 s; SyntaxError if something else responds.
 */
export async function fetchRelayReport(address: string, port = adminPort): Promise<RelayReport> {
  const limits = { clock: systemClock, timeoutMs: timeoutMs, signals: [] };
  const answer = await withTimeout(limits, (signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    // No agent: the next request is a while off.
    get({ host: address, port, path: '/status', agent: false, signal }, (response) => {
      text(response).then(resolve, reject);
    }).on('error', reject);
    return promise;
  });
  return relayReport(JSON.parse(answer));
}

/**
 * The report in the JSON of `/status`. Missing fields count as unknown, since relays may be of another version.
 *
 * @throws SyntaxError if it is not the status of a relay.
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

/** The reasons for programs before the message for people, as is usual with `kubectl`. */
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
