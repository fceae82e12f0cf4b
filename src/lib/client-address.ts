import { hostText, parseIpAddress } from './ip-address.ts';

/** The address of a client as logs, hashes and people use it: an IPv4-mapped IPv6 address becomes IPv4. */
export function clientIp(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

/** `address` and `port` as log and status write them, e.g. `[2001:db8::1]:4711`. */
export function clientText(address: string, port: number): string {
  const ip = parseIpAddress(clientIp(address));
  return `${ip === undefined ? address : hostText(ip)}:${String(port)}`;
}
