import { isIP } from 'node:net';
import { RealmError } from '../lib/errors.ts';

/** None of a remote's addresses is of the family of `through`. */
class ThroughError extends RealmError {
  readonly code = 'REALM_THROUGH_FAMILY';

  constructor(through: string) {
    super(`no address of the family of through, ${through}`);
  }
}

/**
 * Those of `hosts`, IP addresses, that can be dialled from the source address `through`; undefined = from any.
 *
 * @throws ThroughError where there is none, and `hosts` has some.
 */
export function reachable(hosts: readonly string[], through: string | undefined): readonly string[] {
  if (through === undefined || hosts.length === 0) return hosts;
  const family = isIP(through);
  const found = hosts.filter((host) => isIP(host) === family);
  if (found.length === 0) throw new ThroughError(through);
  return found;
}
