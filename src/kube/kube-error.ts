import { RealmError } from '../lib/errors.ts';
import { plainText } from '../lib/plain-text.ts';
import { isRecord, present } from '../lib/record.ts';

/** One cause in the details of an error: the field and what is wrong with it. */
export type StatusCause = { readonly field?: string; readonly reason?: string; readonly message?: string };

/** The API server answered a request with an error. */
export class KubeError extends RealmError {
  readonly code = 'REALM_KUBE_REFUSED';
  /** The HTTP status, e.g. 409. */
  readonly status: number;
  /** The reason of the `Status`, e.g. `Conflict`; '' if it has none. */
  readonly reason: string;
  /** The fields that the server rejects, if it names any. */
  readonly causes: readonly StatusCause[];
  /** How long the server wants the client to wait before a retry, in milliseconds, if it states that. */
  readonly retryAfterMs: number | undefined;

  constructor(answer: {
    status: number;
    reason: string;
    message: string;
    causes: readonly StatusCause[];
    retryAfterMs: number | undefined;
  }) {
    super(answer.message);
    this.status = answer.status;
    this.reason = answer.reason;
    this.causes = answer.causes;
    this.retryAfterMs = answer.retryAfterMs;
  }
}

/** Characters of a message that are kept: it goes into statuses, events and logs. */
const maxMessageLength = 2_000;
const maxCauses = 64;
const maxCauseLength = 512;
/** The longest that a server may have a client wait. */
const maxRetryAfterSeconds = 600;

/**
 * The error for a response.
 *
 * @param body        the text of the response: a `Status` object as JSON, or whatever a proxy in between sent.
 * @param retryAfter  the header `Retry-After` in seconds, if there is one.
 */
export function kubeError(status: number, body: string, retryAfter?: string): KubeError {
  return statusError(statusObject(body), status, retryAfter, body);
}

/**
 * The error for a `Status` object inside a response, such as the ERROR event of a watch.
 *
 * @param value  the object, not validated yet.
 */
export function kubeErrorOf(value: unknown): KubeError {
  return statusError(asStatus(value), 500, undefined, '');
}

function statusError(status: Fields, code: number, retryAfter: string | undefined, body: string): KubeError {
  const details = fields(status['details']);
  const answered = typeof status['code'] === 'number' ? status['code'] : code;
  const message = plainText(text(status['message']) ?? body, maxMessageLength);
  return new KubeError({
    status: answered,
    reason: plainText(text(status['reason']) ?? '', maxCauseLength),
    message: message === '' ? `the API server answered ${String(answered)}` : message,
    causes: Array.isArray(details['causes']) ? details['causes'].slice(0, maxCauses).map(cause) : [],
    retryAfterMs: milliseconds(retryAfter ?? details['retryAfterSeconds']),
  });
}

function cause(value: unknown): StatusCause {
  const { field, reason, message } = fields(value);
  return { ...short('field', field), ...short('reason', reason), ...short('message', message) };
}

function short<K extends string>(key: K, value: unknown): { [P in K]?: string } {
  const given = text(value);
  return present(key, given === undefined ? undefined : plainText(given, maxCauseLength));
}

function milliseconds(seconds: unknown): number | undefined {
  const value = Number(seconds);
  return value > 0 ? Math.min(value, maxRetryAfterSeconds) * 1000 : undefined; // NaN and 0 alike
}

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown): Fields {
  return isRecord(value) ? value : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function statusObject(body: string): Fields {
  try {
    return asStatus(JSON.parse(body));
  } catch {
    return {}; // a page of a proxy, not of the API server: its text becomes the message
  }
}

function asStatus(value: unknown): Fields {
  const status = fields(value);
  return status['kind'] === 'Status' ? status : {};
}

/** Whether `error` is an error of the API server with this HTTP status. */
export function isKubeError(error: unknown, status: number): error is KubeError {
  return error instanceof KubeError && error.status === status;
}

/** Whether the refusal lasts until someone grants, frees or changes something, such as a permission, a quota or a policy. */
export function isLasting({ status }: KubeError): boolean {
  return status >= 400 && status < 500 && ![401, 404, 409, 429].includes(status);
}
