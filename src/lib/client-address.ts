import { hostText, parseIpAddress } from './ip-address.ts';

/** The canonical address of a client: an IPv4-mapped address (RFC 4291, section 2.5.5.2) as IPv4, others unchanged. */
export function clientIp(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

/** `address` and `port` as in the log and in `/status`, for example `[2001:db8::1]:4711`. */
export function clientText(address: string, port: number): string {
  const ip = parseIpAddress(clientIp(address));
  return `${ip === undefined ? address : hostText(ip)}:${String(port)}`;
}
