import type { SocketAddress } from '../../config/address.ts';
import { withZoneName } from './zone.ts';

/** The IP addresses of `host`, as Node wants them: those that `lookup` finds of a name, or the one that it is. */
export async function addressesOf(
  { host, ip }: Pick<SocketAddress, 'host' | 'ip'>,
  lookup: (host: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  return ip === undefined ? lookup(host) : [withZoneName(host)];
}
