/**
 * The base of every error that this software raises on purpose.
 *
 * `code` is stable and documented; callers decide by it, never by the message. The cause is kept in
 * `cause` and not repeated in the message, since the logger appends it.
 */
export abstract class RealmError extends Error {
  /** Stable, upper case, e.g. `REALM_CONFIG_INVALID`. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** `error` as an Error, whatever was thrown. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** The `code` that Node and our own errors carry (`ECONNREFUSED`, `REALM_…`); '' where there is none. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}
