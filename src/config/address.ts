import { isIP } from 'node:net';
import { numericEnd, numericEndRemedy } from '../lib/host-name.ts';
import { hostText, parseIpAddress, type IpAddress } from '../lib/ip-address.ts';
import { parseUnsigned } from '../lib/unsigned.ts';

/** A host and a port, to bind or to dial. */
export type SocketAddress = {
  /** Canonical IP address (RFC 5952, with its zone, no brackets) or host name. */
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;
  /** `host`, parsed; absent if it is a host name. */
  readonly ip?: IpAddress;
};

/** Why a text is not an address, and what to write instead. */
export type AddressFault = { readonly what: string; readonly remedy: string };

const shapes = 'write IPV4:PORT, [IPV6]:PORT or HOST:PORT';

/**
 * Parses an address as Realm writes it: `192.0.2.1:80`, `[2001:db8::1]:80`, `backend.example:80`, and the
 * unbracketed `::1:80`, whose last colon splits. A zone is a name or a number: `[fe80::1%eth0]:80`. The port may begin with
 * zeros or a plus sign.
 */
export function parseSocketAddress(text: string): SocketAddress | AddressFault {
  const colon = text.lastIndexOf(':');
  if (colon === -1 || text.endsWith(']')) return { what: 'has no port', remedy: shapes };
  const port = parsePort(text.slice(colon + 1));
  if (port === undefined) return { what: 'has no valid port', remedy: 'use a port from 0 to 65535' };
  const host = text.slice(0, colon);
  if (!host.startsWith('[')) return socketAddress(host, port);
  const inside = host.endsWith(']') ? host.slice(1, -1) : '';
  if (isIP(inside) === 6) return socketAddress(inside, port);
  return { what: 'has no IPv6 address in its brackets', remedy: shapes };
}

function parsePort(text: string): number | undefined {
  const port = parseUnsigned(text);
  return port !== undefined && port <= 65535 ? port : undefined;
}

/**
 * The address of `host` and `port`.
 *
 * @param host  an IP address without brackets, or a host name; not resolved.
 * @param port  0 to 65535, not checked.
 */
function socketAddress(host: string, port: number): SocketAddress | AddressFault {
  const ip = parseIpAddress(host);
  if (ip !== undefined) return { host: ip.zone === '' ? ip.text : `${ip.text}%${ip.zone}`, port, ip };
  if (host === '') return { what: 'has no host', remedy: 'write 0.0.0.0 or [::] for every address' };
  if (numericEnd.test(host)) return { what: 'has a host that ends in a number', remedy: numericEndRemedy };
  if (isHostName(host)) return { host, port };
  return { what: 'has neither an IP address nor a host name', remedy: shapes };
}

/** RFC 1123 labels, underscores allowed. */
function isHostName(host: string): boolean {
  return (
    host.length <= 253 &&
    /^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i.test(host)
  );
}

/** Whether parsing failed. */
export function isFault(parsed: SocketAddress | AddressFault): parsed is AddressFault {
  return 'what' in parsed;
}

/** A source address as Realm accepts it: without the port if that is 0, which means any. */
export function sourceText(source: SocketAddress): string {
  return source.port === 0 ? source.host : socketAddressText(source);
}

/** `address` as Realm writes it, e.g. `[::]:443`; parses back to an equal address. */
export function socketAddressText({ host, port, ip }: SocketAddress): string {
  return `${ip === undefined ? host : hostText(ip)}:${String(port)}`;
}
