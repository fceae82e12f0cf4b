import { RealmError } from './errors.ts';

/** The command line is not valid. */
export class UsageError extends RealmError {
  readonly code = 'REALM_USAGE';
}
