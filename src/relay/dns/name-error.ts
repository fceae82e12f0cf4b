import { RealmError } from '../../lib/errors.ts';

/** Why a name has no addresses, as the system's resolver words it; EAI_AGAIN: the servers are silent or fail. */
export type NameErrorCode = 'ENOTFOUND' | 'ENODATA' | 'EAI_AGAIN';

/** A name could not be resolved. */
export class NameError extends RealmError {
  readonly code: NameErrorCode;
  /** For how many milliseconds the failure is valid. */
  readonly ttlMs: number;

  constructor(code: NameErrorCode, message: string, ttlMs: number) {
    super(message);
    this.code = code;
    this.ttlMs = ttlMs;
  }
}

/** The longest time for which the absence of a name is kept: CoreDNS keeps that of a Service as long. */
const maxAbsenceMs = 5000;

/** For how long a failure of servers is kept. RFC 9520, section 3.2: at least one second. */
const failureMs = 1000;

/** The name does not exist. @param ttlMs  as its server states; undefined = it does not. */
export function notFound(host: string, ttlMs: number | undefined): NameError {
  return new NameError('ENOTFOUND', `${host} does not exist`, absenceMs(ttlMs));
}

/** The name exists, but has no address of the families that are looked up. */
export function noAddress(host: string, ttlMs: number | undefined): NameError {
  return new NameError(
    'ENODATA',
    `${host} has no address of the IP families that are looked up`,
    absenceMs(ttlMs),
  );
}

/** No server answers, or each of them fails: `reason`. */
export function noAnswer(host: string, reason: string): NameError {
  return new NameError('EAI_AGAIN', `no name server resolves ${host}: ${reason}`, failureMs);
}

/** RFC 2308, section 5. */
function absenceMs(ttlMs = maxAbsenceMs): number {
  return Math.min(maxAbsenceMs, Math.max(failureMs, ttlMs));
}
