/**
 * The base class of every error that this software throws on purpose.
 *
 * `code` is stable and documented; callers decide by it, never by the message. The message does not repeat `cause`, since
 * the logger appends it.
 */
export abstract class RealmError extends Error {
  /** Stable, upper case, e.g. `REALM_CONFIG_INVALID`. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** `error` if it is an Error, else an Error with its text. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** The `code` of errors of Node and of this software (`ECONNREFUSED`, `REALM_…`); '' if `error` has none. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}
