import { createSocket } from 'node:dgram';
import { addressFamily, parseIpAddress } from '../../lib/ip-address.ts';
import { literalAddress } from '../../lib/literal-address.ts';

/** A range of IPv6 addresses and a value; IPv4 addresses count as IPv4-mapped ones. */
type Policy = { readonly prefix: bigint; readonly bits: number; readonly value: number };

/** The tables that order destinations. */
export type PolicyTable = { readonly labels: readonly Policy[]; readonly precedences: readonly Policy[] };

const policy = (range: string, value: number): Policy => {
  const [address = '', bits = '128'] = range.split('/');
  return { prefix: addressBits(address) ?? 0n, bits: Number(bits), value };
};

/**
 * The tables of glibc, which differ from those of RFC 6724, section 2.1 in unique local addresses (`fc00::/7`): they go
 * before IPv4, so that clusters that use them are dual-stack. Source: gai.conf(5).
 */
const defaults: PolicyTable = {
  labels: [
    ...[policy('::1/128', 0), policy('::/96', 3), policy('::ffff:0:0/96', 4), policy('2002::/16', 2)],
    ...[policy('fec0::/10', 5), policy('fc00::/7', 6), policy('2001::/32', 7), policy('::/0', 1)],
  ],
  precedences: [
    ...[policy('::1/128', 50), policy('2002::/16', 30), policy('::/96', 20)],
    ...[policy('::ffff:0:0/96', 10), policy('::/0', 40)],
  ],
};

/** Reads a gai.conf(5): lines of one kind replace the whole default table of that kind. */
export function parsePolicies(text: string): PolicyTable {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim().split(/\s+/));
  const table = (kind: string): Policy[] =>
    lines.flatMap(([word, range = '', value = '']) => {
      const isPolicy = word === kind && addressFamily(range.split('/')[0] ?? '') === 'IPv6';
      return isPolicy && /^[0-9]{1,9}$/.test(value) ? [policy(range, Number(value))] : [];
    });
  const [labels, precedences] = [table('label'), table('precedence')];
  return {
    labels: labels.length === 0 ? defaults.labels : [...labels, policy('::/0', 1)],
    precedences: precedences.length === 0 ? defaults.precedences : [...precedences, policy('::/0', 40)],
  };
}

/** Returns the local address from which `address` is reached; undefined = there is no route. */
export type SourceOf = (address: string) => Promise<string | undefined>;

/**
 * Orders the addresses of one name as the system's resolver does.
 *
 * Source: RFC 6724, section 6. Its rules 3, 4 and 7 concern addresses that the kernel does not report here; rule 9 is
 * left out, as the section permits, because it would undo the rotation of name servers.
 */
export async function inDestinationOrder(
  addresses: readonly string[],
  { labels, precedences }: PolicyTable,
  sourceOf: SourceOf = kernelSource,
): Promise<readonly string[]> {
  if (addresses.length < 2) return addresses;
  const destinations: { readonly address: string; readonly ranks: readonly number[] }[] = [];
  for (const address of addresses) {
    const source = await sourceOf(address); // one after the other, because each takes a file descriptor
    const hasSource = source !== undefined;
    const [scope, precedence] = [scopeOf(address), valueOf(precedences, address)];
    const isScope = hasSource && scopeOf(source) === scope;
    const isLabel = hasSource && valueOf(labels, source) === valueOf(labels, address);
    // In the order of the rules: 1, 2, 5, 6, 8; the lower one goes first.
    const ranks = [-Number(hasSource), -Number(isScope), -Number(isLabel), -precedence, scope];
    destinations.push({ address, ranks });
  }
  const compare = (left: readonly number[], right: readonly number[]): number =>
    left.map((rank, index) => rank - (right[index] ?? 0)).find((difference) => difference !== 0) ?? 0;
  return destinations.toSorted((a, b) => compare(a.ranks, b.ranks)).map(({ address }) => address);
}

/** Any port: connecting a UDP socket sends nothing, but makes the kernel choose a route. */
const discard = 9;

/** Source: RFC 6724, section 4, which the kernel follows. */
async function kernelSource(address: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const type = addressFamily(address) === 'IPv6' ? 'udp6' : 'udp4';
  const socket = createSocket({ type, lookup: literalAddress });
  socket.on('error', () => {
    resolve(undefined);
  });
  // On failure Node passes the error to the callback, although its types have no parameter there.
  socket.connect(discard, address, ((error?: Error) => {
    resolve(error === undefined ? socket.address().address : undefined);
  }) as () => void);
  try {
    return await promise;
  } finally {
    socket.close();
  }
}

const [linkLocal, siteLocal, global] = [2, 5, 14];
const scopes = [
  ...[policy('::1/128', linkLocal), policy('fe80::/10', linkLocal), policy('fec0::/10', siteLocal)],
  // RFC 6724, section 3.2: loopback and link-local addresses of IPv4
  ...[policy('::ffff:127.0.0.0/104', linkLocal), policy('::ffff:169.254.0.0/112', linkLocal)],
  policy('::/0', global),
];

function scopeOf(address: string): number {
  return valueOf(scopes, address);
}

/** The value of the longest range that contains `address`. */
function valueOf(table: readonly Policy[], address: string): number {
  const bits = addressBits(address) ?? 0n;
  const matching = table.filter((each) => {
    const shift = BigInt(Math.max(0, 128 - each.bits));
    return bits >> shift === each.prefix >> shift;
  });
  return matching.reduce((longest, each) => (each.bits >= longest.bits ? each : longest), policy('::/0', 0))
    .value;
}

/** The 128 bits of an address, IPv4 as mapped into IPv6; undefined if it is none. */
function addressBits(address: string): bigint | undefined {
  const ip = parseIpAddress(address);
  if (ip === undefined) return undefined;
  const ipv4 = ip.family === 'IPv4' ? ip.text : ip.mapped;
  if (ipv4 !== undefined) {
    return ipv4.split('.').reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0xffffn);
  }
  const [left = '', right] = ip.text.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [head, tail] = [groups(left), groups(right ?? '')];
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}
