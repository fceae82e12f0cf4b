import { isIPv4, isIPv6 } from 'node:net';

/** The two IP families, spelled as in Kubernetes. */
export type IpFamily = 'IPv4' | 'IPv6';

/** A parsed IP address. Two spellings of the same address have equal fields. */
export type IpAddress = {
  /** The family of a socket that binds or dials it: IPv6 for an IPv4-mapped address. */
  readonly family: IpFamily;
  /** Canonical text without the zone: RFC 5952; an IPv4-mapped address ends in dotted decimal (`::ffff:192.0.2.1`). */
  readonly text: string;
  /** Scope zone of a link-local address, a name or a number; '' if it has none. */
  readonly zone: string;
  /** The IPv4 address in an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`). */
  readonly mapped?: string;
};

/**
 * Parses an IP address without brackets and port.
 *
 * @param text  `192.0.2.1`, `2001:db8::1`, `::ffff:192.0.2.1`, `fe80::1%eth0`.
 * @returns undefined if it is not an IP address.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  const family = addressFamily(text);
  if (family === undefined) return undefined;
  if (family === 'IPv4') return { family, text, zone: '' };
  const [address = '', zone = ''] = text.split('%', 2);
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1); // the URL standard serializes as RFC 5952
  const mapped = mappedIpv4(canonical);
  return mapped === undefined
    ? { family, text: canonical, zone }
    : { family, text: `::ffff:${mapped}`, zone, mapped };
}

/** The family of the IP address `text`; undefined if it is not one. */
export function addressFamily(text: string): IpFamily | undefined {
  if (isIPv4(text)) return 'IPv4';
  // Node matches a long pattern; checking for a colon first saves that for host names.
  return text.includes(':') && isIPv6(text) ? 'IPv6' : undefined;
}

function mappedIpv4(canonical: string): string | undefined {
  const groups = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  return groups === null ? undefined : ipv4OfGroups(groups.slice(1));
}

/**
 * The IPv4 address that a translator or tunnel on the way makes of an IPv6 address: in the well-known prefix of NAT64,
 * `64:ff9b::/96` (RFC 6052, section 2.1), and in 6to4, `2002::/16` (RFC 3056, section 2).
 *
 * @returns undefined for every other address.
 */
export function translatedIpv4({ family, text }: IpAddress): string | undefined {
  if (family === 'IPv4') return undefined;
  const groups = ipv6Groups(text);
  const wellKnown = ['64', 'ff9b', '0', '0', '0', '0'];
  if (wellKnown.every((group, index) => group === groups[index])) return ipv4OfGroups(groups.slice(6));
  return groups[0] === '2002' ? ipv4OfGroups(groups.slice(1, 3)) : undefined;
}

/** The eight groups of an IPv6 address in hexadecimal, as written: `::1` has seven times `0` and `1`. */
export function ipv6Groups(address: string): readonly string[] {
  const [head = '', tail] = address.split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  return [...before, ...zeros, ...after];
}

function ipv4OfGroups(groups: readonly string[]): string {
  return groups
    .map((group) => parseInt(group, 16))
    .map((value) => `${String(value >> 8)}.${String(value & 255)}`)
    .join('.');
}

/** Whether it is the unspecified address, `0.0.0.0` or `::`, IPv4-mapped or not. */
export function isUnspecified({ text, mapped = text }: IpAddress): boolean {
  return ['0.0.0.0', '::'].includes(mapped);
}

/** Whether it is link-local, fe80::/10, without the zone that says of which interface (RFC 4007, section 6). */
export function isWithoutZone({ family, text, zone }: IpAddress): boolean {
  return family === 'IPv6' && zone === '' && /^fe[89ab][0-9a-f]:/.test(text);
}

/** Whether `address` is one at which this machine reaches itself; an IPv4-mapped one is none. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (address.startsWith('127.') && isIPv4(address));
}

/** The address at which a connection to `address` arrives: Linux dials its loopback address for the unspecified one. */
export function dialledAddress(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}

/** `address` as it is written before a port: IPv6 in brackets, with its zone. */
export function hostText(address: IpAddress): string {
  const text = address.zone === '' ? address.text : `${address.text}%${address.zone}`;
  return address.family === 'IPv6' ? `[${text}]` : text;
}
