import { isIP } from 'node:net';
import { sourceText, type SocketAddress } from '../../config/address.ts';
import { RealmError } from '../../lib/errors.ts';
import { addressesOf } from '../dns/lookup.ts';
import type { Address } from '../net/channel.ts';

/** None of a remote's addresses is of the family of `through`. */
class ThroughError extends RealmError {
  readonly code = 'REALM_THROUGH_FAMILY';

  constructor(through: SocketAddress) {
    super(`no address of the family of through, ${sourceText(through)}`);
  }
}

/** From where to dial: what `through` is now, a host name looked up. */
export type SourceAddress = { readonly through: SocketAddress; readonly addresses: readonly string[] };

/** @param lookup  of every IP address of a host name. */
export async function sourceOf(
  through: SocketAddress,
  lookup: (host: string) => Promise<readonly string[]>,
): Promise<SourceAddress> {
  return { through, addresses: await addressesOf(through, lookup) };
}

/**
 * Those of `hosts`, IP addresses, that can be dialled from `source`; undefined = from anywhere.
 *
 * @throws ThroughError where there is none, and `hosts` has some.
 */
export function reachable(hosts: readonly string[], source: SourceAddress | undefined): readonly string[] {
  if (source === undefined || hosts.length === 0) return hosts;
  const found = hosts.filter((host) => fromAddress(host, source) !== undefined);
  if (found.length === 0) throw new ThroughError(source.through);
  return found;
}

/** From where to dial `host`, an IP address; undefined = from anywhere. */
export function fromAddress(host: string, source: SourceAddress | undefined): Address | undefined {
  const address = source?.addresses.find((each) => isIP(each) === isIP(host));
  return address === undefined ? undefined : { address, port: source?.through.port ?? 0 };
}
