import { asError } from '../../lib/errors.ts';

/** An error as threads exchange it: a structured clone would lose its class and its code. */
export type ErrorRecord = {
  /** The name of its class. */
  readonly kind: string;
  readonly message: string;
  readonly stack: string;
  /** Its further fields, such as `code` and `address`. */
  readonly fields: Readonly<Record<string, string | number | boolean>>;
  readonly cause: ErrorRecord | undefined;
};

export function errorRecord(error: Error): ErrorRecord {
  const fields = Object.entries(error).filter(([, value]) =>
    ['string', 'number', 'boolean'].includes(typeof value),
  ) as [string, string | number | boolean][];
  return {
    kind: error.constructor.name,
    message: error.message,
    stack: error.stack ?? '',
    fields: Object.fromEntries(fields),
    cause: error.cause === undefined ? undefined : errorRecord(asError(error.cause)),
  };
}

/** Classes by name, so that a log names the kind of an error of another thread. */
const kinds = new Map<string, ErrorClass>();

type ErrorClass = new (message: string, options: ErrorOptions) => Error;

function newKind(name: string): ErrorClass {
  const kind = Object.defineProperty(class extends Error {}, 'name', { value: name });
  kinds.set(name, kind);
  return kind;
}

/** The error that `record` describes. */
export function recordedError({ kind, message, stack, fields, cause }: ErrorRecord): Error {
  const Kind = kinds.get(kind) ?? newKind(kind);
  const options = cause === undefined ? {} : { cause: recordedError(cause) };
  return Object.assign(new Kind(message, options), { stack }, fields);
}

/** `fields` of a log line, with errors as records. */
export function recordedFields(fields: object): object {
  return mapped(fields, (value) => (value instanceof Error ? errorRecord(value) : value));
}

/** The fields of a log line that `recordedFields` has recorded. */
export function loggedFields(fields: object): object {
  return 'err' in fields ? { ...fields, err: recordedError(fields.err as ErrorRecord) } : fields;
}

function mapped(fields: object, map: (value: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, map(value)]));
}
