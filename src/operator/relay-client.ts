import { get, type IncomingMessage } from 'node:http';
import { adminPort } from '../api/schema/endpoint.ts';
import { boundedText, TooLargeError } from '../lib/bounded-read.ts';
import { systemClock } from '../lib/clock.ts';
import { RealmError } from '../lib/errors.ts';
import { plainText } from '../lib/plain-text.ts';
import { isRecord } from '../lib/record.ts';
import { withTimeout } from '../lib/with-timeout.ts';

/** How long a relay may take to respond, to the last byte. */
const timeoutMs = 1_000;
/** A summary of 64 endpoints takes less than a third of it. */
const maxBytes = 256 * 1024;
/** Of each text, in characters. */
const maxTextLength = 512;

/** What a relay Pod reports, as far as the operator needs it. */
export type RelayReport = {
  /** SHA-256, in hexadecimal, of the configuration that it runs. */
  readonly configHash: string;
  /** Why it does not run the newest configuration that it got; '' if it does. One line, at most 512 characters. */
  readonly configProblem: string;
  /** The endpoints that it does not serve, each once, with reason and remedy in one line of at most 512 characters. */
  readonly unready: readonly { readonly name: string; readonly message: string }[];
  /** The endpoints whose certificate files, which are optional, are missing or not valid, each once; absent = none. */
  readonly certificates?: readonly CertificateReport[];
};

/** What a relay reports of the certificate of one endpoint: why the newest files are not used, and whether earlier ones are. */
export type CertificateReport = { readonly name: string; readonly message: string; readonly served: boolean };

/**
 * Fetches the report of the relay at an IP address. Rejects if it does not respond.
 *
 * @param endpoints  the names of its RealmRelay's endpoints; the report has no others.
 */
export type FetchRelayReport = (address: string, endpoints: readonly string[]) => Promise<RelayReport>;

/** What responds at a Pod's address is not a relay, or not one that keeps to the limits. */
export class WrongAnswerError extends RealmError {
  readonly code = 'REALM_RELAY_ANSWER';
}

/**
 * Fetches `/summary` from the admin server of the relay at `address`, within 1 s.
 *
 * A tenant may choose what runs in a relay Pod, so the answer is a stranger's: it is read up to 256 KiB.
 *
 * @param port  of the admin server, which is the same in every relay Pod.
 * @throws WrongAnswerError if something else than a relay responds; the error of `node:http` if it cannot be reached;
 *   `AbortError` after 1 s.
 */
export async function fetchRelayReport(
  address: string,
  endpoints: readonly string[],
  port = adminPort,
): Promise<RelayReport> {
  const limits = { clock: systemClock, timeoutMs, signals: [] };
  const answer = await withTimeout(limits, async (signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    // No agent: the next request is a while off.
    get({ host: address, port, path: '/summary', agent: false, signal }, resolve).on('error', reject);
    return body(await promise);
  });
  return relayReport(parsed(answer), endpoints);
}

async function body(response: IncomingMessage): Promise<string> {
  const { statusCode = 0 } = response;
  if (statusCode !== 200) {
    response.destroy();
    throw new WrongAnswerError(`it answered with status ${String(statusCode)}`);
  }
  try {
    return await boundedText(response as AsyncIterable<Buffer>, maxBytes, 'its answer');
  } catch (error) {
    throw error instanceof TooLargeError ? new WrongAnswerError(error.message) : error;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new WrongAnswerError('its answer is not JSON'); // the cause would quote a stranger
  }
}

/**
 * The report in the JSON of `/summary`.
 *
 * @param endpoints  as for {@link FetchRelayReport}.
 * @throws WrongAnswerError if it is not the summary of a relay.
 */
export function relayReport(value: unknown, endpoints: readonly string[]): RelayReport {
  const { configHash, configProblem, unready, certificates } = record(value);
  if (typeof configHash !== 'string' || !/^[0-9a-f]{64}$/.test(configHash))
    throw new WrongAnswerError('its answer is not the summary of a relay');
  const reported = new Map(list(unready).map((endpoint) => [word(endpoint['name']), endpoint]));
  const faulty = new Map(
    list(certificates).flatMap((fault) => {
      const { names } = fault;
      return Array.isArray(names) ? names.map((name: unknown) => [word(name), fault] as const) : [];
    }),
  );
  const reports = endpoints.flatMap((name): CertificateReport[] => {
    const endpoint = faulty.get(name);
    if (endpoint === undefined) return [];
    const message = plainText(word(endpoint['message']), maxTextLength);
    return [{ name, message, served: endpoint['served'] === true }];
  });
  return {
    configHash,
    configProblem: plainText(word(configProblem), maxTextLength),
    unready: endpoints.flatMap((name) => {
      const endpoint = reported.get(name);
      return endpoint === undefined ? [] : [{ name, message: faultText(endpoint) }];
    }),
    ...(reports.length > 0 && { certificates: reports }),
  };
}

/** The reasons for programs before the message for people, as is usual with `kubectl`. */
function faultText({ reasons, message }: Fields): string {
  const words = Array.isArray(reasons) ? reasons.map(word) : [];
  const parts = [words.filter((reason) => reason !== '').join(', '), word(message)];
  return plainText(parts.filter((part) => part !== '').join(': '), maxTextLength);
}

type Fields = Readonly<Record<string, unknown>>;

function record(value: unknown): Fields {
  return isRecord(value) ? value : {};
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(record) : [];
}

function word(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
