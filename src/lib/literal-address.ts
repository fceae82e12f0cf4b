import { isIPv6 } from 'node:net';

/** A lookup for sockets of `node:dgram` that are given IP addresses only, which it would resolve at the cost of a DNS call. */
export function literalAddress(
  host: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, host, isIPv6(host) ? 6 : 4);
}
