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
