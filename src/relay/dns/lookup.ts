import { lookup as systemLookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { SocketAddress } from '../../config/address.ts';
import { withZoneName } from './zone.ts';

/** Every address of a host name, in the order in which to try them. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** The machine's own lookup: the hosts file, then its name servers. */
export const systemAddresses: Lookup = async (host) => {
  const found = await systemLookup(host, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
};

/** The IP addresses of `host`, as Node wants them: those that `lookup` finds of a name, or the one that it is. */
export async function addressesOf(
  { host, ip }: Pick<SocketAddress, 'host' | 'ip'>,
  lookup: (host: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  return ip === undefined ? lookup(host) : [withZoneName(host)];
}

/** dgram looks even literal addresses up; that is a DNS call for nothing. */
export function literalAddress(
  host: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, host, isIPv6(host) ? 6 : 4);
}
