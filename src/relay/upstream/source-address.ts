import { isIP } from 'node:net';
import { sourceText, type SocketAddress } from '../../config/address.ts';
import { RealmError } from '../../lib/errors.ts';
import { addressesOf, type Lookup } from '../dns/lookup.ts';
import type { Address } from '../net/channel.ts';

/** A remote has no address of the family of `through`. */
class ThroughError extends RealmError {
  readonly code = 'REALM_THROUGH_FAMILY';

  constructor(through: SocketAddress) {
    super(`no address of the same IP family as through, ${sourceText(through)}`);
  }
}

/** The source address of dials: `through`, and the IP addresses that it has at the moment. */
export type SourceAddress = { readonly through: SocketAddress; readonly addresses: readonly string[] };

/** Resolves `through`. @throws the error of `lookup`. */
export async function sourceOf(through: SocketAddress, lookup: Lookup): Promise<SourceAddress> {
  return { through, addresses: await addressesOf(through, lookup) };
}

/**
 * Selects those of `hosts`, IP addresses, that have the family of `source`; undefined = all of them.
 *
 * @throws ThroughError if `hosts` has addresses, but none of that family.
 */
export function reachable(hosts: readonly string[], source: SourceAddress | undefined): readonly string[] {
  if (source === undefined || hosts.length === 0) return hosts;
  const matching = hosts.filter((host) => fromAddress(host, source) !== undefined);
  if (matching.length === 0) throw new ThroughError(source.through);
  return matching;
}

/** The source address for dialling `host`, an IP address; undefined = the system's choice, or none of its family. */
export function fromAddress(host: string, source: SourceAddress | undefined): Address | undefined {
  const address = source?.addresses.find((each) => isIP(each) === isIP(host));
  return address === undefined ? undefined : { address, port: source?.through.port ?? 0 };
}
