import { isWithin } from '../../lib/address-ranges.ts';
import { RealmError } from '../../lib/errors.ts';
import { parseIpAddress, translatedIpv4 } from '../../lib/ip-address.ts';

/** Every address of a remote is in `denied_destinations`. */
class DestinationDeniedError extends RealmError {
  readonly code = 'REALM_DESTINATION_DENIED';

  constructor(hosts: readonly string[]) {
    super(`${hosts.join(', ')}: in denied_destinations`);
  }
}

/** Addresses per list whose verdict is kept. */
const maxKnown = 1024;

/** Whether an address is denied, by list: a dial to a known address costs a look-up in a map. */
const verdicts = new WeakMap<readonly string[], Map<string, boolean>>();

/**
 * Selects those of `hosts`, IP addresses after resolution, that `denied` does not contain. An IPv4-mapped address
 * counts as the IPv4 address in it. One that NAT64 or 6to4 leads to an IPv4 address counts as both.
 *
 * @throws DestinationDeniedError if `hosts` has addresses, and all of them are denied.
 */
export function permitted(
  hosts: readonly string[],
  denied: readonly string[] | undefined,
): readonly string[] {
  if (denied === undefined || hosts.length === 0) return hosts;
  const allowed = hosts.filter((host) => !isDenied(host, denied));
  if (allowed.length === 0) throw new DestinationDeniedError(hosts);
  return allowed;
}

function isDenied(host: string, denied: readonly string[]): boolean {
  const known = verdicts.get(denied) ?? new Map<string, boolean>();
  verdicts.set(denied, known);
  const verdict = known.get(host);
  if (verdict !== undefined) return verdict;
  if (known.size >= maxKnown) known.clear(); // names with ever new addresses may not fill the memory
  const ip = parseIpAddress(host);
  const translated = ip && translatedIpv4(ip);
  const isInList = isWithin(denied, host) || (translated !== undefined && isWithin(denied, translated));
  known.set(host, isInList);
  return isInList;
}
