import type { SocketAddress } from '../../config/address.ts';
import { addressesOf, type Lookup } from '../dns/lookup.ts';
import type { Target } from '../net/channel.ts';
import { permitted } from '../upstream/denied-destinations.ts';
import type { Remote } from '../upstream/remote.ts';
import { fromAddress, reachable, sourceOf } from '../upstream/source-address.ts';

/** How the addresses of remotes are found, and which of them may be used. */
export type TargetsContext = {
  readonly lookup: Lookup;
  /** Source address of datagrams; undefined = the system's choice. */
  readonly through: SocketAddress | undefined;
  /** The network interface that datagrams leave by; undefined = the system's choice. */
  readonly device: string | undefined;
  /** Addresses and ranges to which nothing is sent; undefined = none. */
  readonly denied: readonly string[] | undefined;
};

/**
 * The addresses of `remote`, at least one, in the order in which to try them.
 *
 * @param signal  nobody waits for them any more: rejects with its reason.
 * @throws if its name does not resolve, or none of its addresses may be used.
 */
export async function targetsOf(
  remote: Remote,
  { lookup: lookupName, through, device, denied }: TargetsContext,
  signal: AbortSignal,
): Promise<readonly Target[]> {
  const lookup: Lookup = (name) => lookupName(name, signal);
  const found = await addressesOf(remote, lookup);
  const source = through && (await sourceOf(through, lookup));
  const hosts = remote.addresses.sorted(reachable(permitted(found, denied), source));
  if (hosts.length === 0) throw new Error('the name has no address');
  return hosts.map((address) => ({
    address,
    port: remote.port,
    device,
    from: fromAddress(address, source),
  }));
}
