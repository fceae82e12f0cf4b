import { BlockList } from 'node:net';
import { parseIpAddress, type IpAddress, type IpFamily } from './ip-address.ts';
import { clientIp } from './client-address.ts';

/** The ranges of each family: in one list `::/0` would take IPv4 addresses in, as Node compares them. */
type Lists = Readonly<Record<IpFamily, BlockList>>;

/** Each list of ranges is of a configuration, and lives as long. */
const known = new WeakMap<readonly string[], Lists>();

/**
 * Whether `address` is one of `ranges`, which are IP addresses and ranges such as `10.0.0.0/8`. An IPv4-mapped one
 * counts as the IPv4 address that it holds, on either side; a zone does not count.
 *
 * @returns false where `address` is none.
 */
export function isWithin(ranges: readonly string[], address: string): boolean {
  const ip = parseIpAddress(clientIp(address)); // which spares a mapped one the parsing of IPv6, 3 µs
  if (ip === undefined) return false;
  const { IPv4, IPv6 } = listsOf(ranges);
  const ipv4 = ipv4Of(ip);
  return ipv4 === undefined ? IPv6.check(ip.text, 'ipv6') : IPv4.check(ipv4, 'ipv4');
}

function listsOf(ranges: readonly string[]): Lists {
  const before = known.get(ranges);
  if (before !== undefined) return before;
  const lists = { IPv4: new BlockList(), IPv6: new BlockList() };
  for (const range of ranges) add(range, lists);
  known.set(ranges, lists);
  return lists;
}

/** The bits of an IPv4-mapped address before the IPv4 address that it holds. */
const mappedBits = 96;

function add(range: string, { IPv4, IPv6 }: Lists): void {
  const [address = '', prefix] = range.split('/');
  const ip = parseIpAddress(address);
  if (ip === undefined) return; // the rules of the configuration let none through
  const bits = ip.family === 'IPv4' ? mappedBits + Number(prefix ?? 32) : Number(prefix ?? 128);
  const ipv4 = ipv4Of(ip);
  if (ipv4 !== undefined && bits >= mappedBits) IPv4.addSubnet(ipv4, bits - mappedBits, 'ipv4');
  else IPv6.addSubnet(ip.text, bits, 'ipv6');
}

function ipv4Of({ family, text, mapped }: IpAddress): string | undefined {
  return family === 'IPv4' ? text : mapped;
}
