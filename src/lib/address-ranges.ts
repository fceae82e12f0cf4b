import { BlockList } from 'node:net';
import { parseIpAddress, type IpAddress, type IpFamily } from './ip-address.ts';
import { clientIp } from './client-address.ts';

/** One list per family: in a common one, Node.js would match IPv4 addresses against `::/0`. */
type Lists = Readonly<Record<IpFamily, BlockList>>;

/** The parsed ranges of each configuration, for as long as it is in use. */
const parsedLists = new WeakMap<readonly string[], Lists>();

/**
 * Whether `address` is in one of `ranges`: IP addresses, and ranges such as `10.0.0.0/8`. On either side an IPv4-mapped
 * address counts as IPv4, and a zone is ignored.
 *
 * @returns false if `address` is not an IP address.
 */
export function isWithin(ranges: readonly string[], address: string): boolean {
  const ip = parseIpAddress(clientIp(address)); // unmapped first, because parsing IPv6 costs 3 µs
  if (ip === undefined) return false;
  const { IPv4, IPv6 } = listsOf(ranges);
  const ipv4 = ipv4Of(ip);
  return ipv4 === undefined ? IPv6.check(ip.text, 'ipv6') : IPv4.check(ipv4, 'ipv4');
}

function listsOf(ranges: readonly string[]): Lists {
  const cached = parsedLists.get(ranges);
  if (cached !== undefined) return cached;
  const lists = { IPv4: new BlockList(), IPv6: new BlockList() };
  for (const range of ranges) add(range, lists);
  parsedLists.set(ranges, lists);
  return lists;
}

/** The length of the prefix `::ffff:0:0/96` of IPv4-mapped addresses. RFC 4291, section 2.5.5.2. */
const mappedBits = 96;

function add(range: string, { IPv4, IPv6 }: Lists): void {
  const [address = '', prefix] = range.split('/');
  const ip = parseIpAddress(address);
  if (ip === undefined) return; // validation of the configuration rejects such a range
  const bits = ip.family === 'IPv4' ? mappedBits + Number(prefix ?? 32) : Number(prefix ?? 128);
  const ipv4 = ipv4Of(ip);
  if (ipv4 !== undefined && bits >= mappedBits) IPv4.addSubnet(ipv4, bits - mappedBits, 'ipv4');
  else IPv6.addSubnet(ip.text, bits, 'ipv6');
}

function ipv4Of({ family, text, mapped }: IpAddress): string | undefined {
  return family === 'IPv4' ? text : mapped;
}
