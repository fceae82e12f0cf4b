import { lookup as systemLookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { SocketAddress } from '../../config/address.ts';
import { withZoneName } from './zone.ts';

/** Every address of a host name, in the order in which to try them. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** The machine's own lookup: the hosts file, then its name servers, as its resolver is configured. */
export const systemAddresses: Lookup = async (host) => {
  const found = await systemLookup(host, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
};

/** The IP addresses of `host` in the notation of Node.js: `host` itself, or the result of `lookup` if it is a name. */
export async function addressesOf({ host, ip }: SocketAddress, lookup: Lookup): Promise<readonly string[]> {
  return ip === undefined ? lookup(host) : [withZoneName(host)];
}

/** A lookup for dgram sockets that are given IP addresses only, which dgram would resolve at the cost of a DNS call. */
export function literalAddress(
  host: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, host, isIPv6(host) ? 6 : 4);
}
