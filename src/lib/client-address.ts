import { hostText, ipv6Groups, parseIpAddress } from './ip-address.ts';

/** The canonical address of a client: an IPv4-mapped address (RFC 4291, section 2.5.5.2) as IPv4, others unchanged. */
export function clientIp(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

/** `address` and `port` as in the log and in `/status`, for example `[2001:db8::1]:4711`. */
export function clientText(address: string, port: number): string {
  const ip = parseIpAddress(clientIp(address));
  return `${ip === undefined ? address : hostText(ip)}:${String(port)}`;
}

/**
 * What counts as one client: an IPv4 address, or the /64 network of an IPv6 address, since one host may use all of it.
 *
 * @returns a text for comparison. `::/64` is no network of one host: its addresses, such as `::1`, count one by one.
 */
export function clientNetwork(address: string): string {
  const ip = clientIp(address);
  if (!ip.includes(':')) return ip;
  const groups = ipv6Groups(ip.replace(/%.*/, ''));
  const network = groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16));
  return network.every((group) => group === '0') ? ip : `${network.join(':')}::/64`;
}
