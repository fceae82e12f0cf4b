import { lookup as systemLookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { SocketAddress } from '../../config/address.ts';
import { withZoneName } from './zone.ts';

/** Every address of a host name, in the order in which to try them. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** How many addresses of a name are tried; an answer by TCP has room for thousands. */
const maxAddresses = 64;

/**
 * The machine's own lookup: the hosts file, then its name servers, as its resolver is configured. Simultaneous lookups
 * of one name share one, since a few threads do them for the whole process: the clients of a name that does not resolve
 * must not delay the lookups of other names.
 */
export const systemAddresses: Lookup = shared(async (host) => {
  const found = await systemLookup(host, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
});

/** `lookup`, whose simultaneous calls for one name share one. */
export function shared(lookup: Lookup): Lookup {
  const pending = new Map<string, ReturnType<Lookup>>();
  return (host) => {
    const running = pending.get(host);
    if (running !== undefined) return running;
    const found = lookup(host).finally(() => pending.delete(host));
    pending.set(host, found);
    return found;
  };
}

/**
 * The IP addresses of `host` in the notation of Node.js, at most 64: `host` itself, or the result of `lookup` if it is a
 * name.
 */
export async function addressesOf({ host, ip }: SocketAddress, lookup: Lookup): Promise<readonly string[]> {
  return ip === undefined ? (await lookup(host)).slice(0, maxAddresses) : [withZoneName(host)];
}

/** A lookup for dgram sockets that are given IP addresses only, which dgram would resolve at the cost of a DNS call. */
export function literalAddress(
  host: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, host, isIPv6(host) ? 6 : 4);
}
