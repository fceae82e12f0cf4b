import { RealmError } from '../lib/errors.ts';

/** One cause in the details of an error: the field and what is wrong with it. */
export type StatusCause = { readonly field?: string; readonly reason?: string; readonly message?: string };

/** The part of a Kubernetes `Status` object that is used here. */
type StatusObject = {
  readonly code?: number;
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes?: readonly StatusCause[]; readonly retryAfterSeconds?: number };
};

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

const maxMessageLength = 2_000;

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

function statusError(
  status: StatusObject,
  code: number,
  retryAfter: string | undefined,
  body: string,
): KubeError {
  const { message = body, reason = '', details = {} } = status;
  const answered = status.code ?? code;
  return new KubeError({
    status: answered,
    reason,
    message:
      message === '' ? `the API server answered ${String(answered)}` : message.slice(0, maxMessageLength),
    causes: details.causes ?? [],
    retryAfterMs: milliseconds(retryAfter ?? details.retryAfterSeconds),
  });
}

function milliseconds(seconds: string | number | undefined): number | undefined {
  const value = Number(seconds);
  return value > 0 ? value * 1000 : undefined; // NaN and 0 alike
}

function statusObject(body: string): StatusObject {
  try {
    return asStatus(JSON.parse(body));
  } catch {
    return {}; // a page of a proxy, not of the API server: its text becomes the message
  }
}

function asStatus(value: unknown): StatusObject {
  const isStatus = typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status';
  return isStatus ? (value as StatusObject) : {};
}

/** Whether `error` is an error of the API server with this HTTP status. */
export function isKubeError(error: unknown, status: number): error is KubeError {
  return error instanceof KubeError && error.status === status;
}
