import { RealmError } from '../../lib/errors.ts';

/**
 * The client closed the connection without sending anything, as the checks of load balancers do. That is no failure of the
 * client.
 */
export class NoDataError extends RealmError {
  readonly code = 'REALM_NO_DATA';

  constructor() {
    super('the client closed the connection without sending anything');
  }
}
