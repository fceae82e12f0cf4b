import { isIPv6 } from 'node:net';
import type { SocketAddress } from '../../config/address.ts';
import { withZoneName } from './zone.ts';

/**
 * Every address of a host name, at least one, in the order in which to try them.
 *
 * @param signal  the caller waits no more: the lookup rejects with its reason, and ends unless others wait for it.
 */
export type Lookup = (host: string, signal?: AbortSignal) => Promise<readonly string[]>;

/** The IP addresses of `host` in the notation of Node.js: `host` itself, or the result of `lookup` if it is a name. */
export async function addressesOf(
  { host, ip }: SocketAddress,
  lookup: Lookup,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  return ip === undefined ? lookup(host, signal) : [withZoneName(host)];
}

/** A lookup for dgram sockets that are given IP addresses only, which dgram would resolve at the cost of a DNS call. */
export function literalAddress(
  host: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, host, isIPv6(host) ? 6 : 4);
}
