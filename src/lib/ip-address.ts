import { isIPv4, isIPv6 } from 'node:net';

/** The two IP families, spelt as Kubernetes spells them. */
export type IpFamily = 'IPv4' | 'IPv6';

/** An IP address, parsed. Two that denote the same address have equal fields, however they were spelt. */
export type IpAddress = {
  /** The family of a socket that binds or dials it: an IPv4-mapped address is of IPv6. */
  readonly family: IpFamily;
  /** Canonical text without the zone: RFC 5952; an IPv4-mapped one ends in dotted decimal (`::ffff:192.0.2.1`). */
  readonly text: string;
  /** Scope zone of a link-local address, a name or a number; '' where there is none. */
  readonly zone: string;
  /** The IPv4 address that an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`) holds. */
  readonly mapped?: string;
};

/**
 * Parses the text of an IP address, with no brackets and no port.
 *
 * @param text  `192.0.2.1`, `2001:db8::1`, `::ffff:192.0.2.1`, `fe80::1%eth0`.
 * @returns undefined where it is not an IP address.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  const family = addressFamily(text);
  if (family === undefined) return undefined;
  if (family === 'IPv4') return { family, text, zone: '' };
  const [address = '', zone = ''] = text.split('%', 2);
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1); // the URL standard serialises by RFC 5952
  const mapped = mappedIpv4(canonical);
  return mapped === undefined
    ? { family, text: canonical, zone }
    : { family, text: `::ffff:${mapped}`, zone, mapped };
}

/** The family of the IP address that `text` is; undefined where it is none. */
export function addressFamily(text: string): IpFamily | undefined {
  if (isIPv4(text)) return 'IPv4';
  // A host name is held against a long pattern by Node, so that it is looked for the colon first.
  return text.includes(':') && isIPv6(text) ? 'IPv6' : undefined;
}

function mappedIpv4(canonical: string): string | undefined {
  const groups = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (groups === null) return undefined;
  return groups
    .slice(1)
    .map((group) => parseInt(group, 16))
    .map((value) => `${String(value >> 8)}.${String(value & 255)}`)
    .join('.');
}

/** `address` as it stands beside a port: IPv6 in brackets, with its zone. */
export function hostText(address: IpAddress): string {
  const text = address.zone === '' ? address.text : `${address.text}%${address.zone}`;
  return address.family === 'IPv6' ? `[${text}]` : text;
}
