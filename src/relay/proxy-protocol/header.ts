/**
 * `proxy-protocol`: writes and reads PROXY headers, versions 1 and 2.
 *
 * Vocabulary. A header states the source and the destination of a connection as a proxy in front has seen them.
 * Version 1 is a line of text, version 2 is binary, with a fixed head, addresses and TLV fields. A header that names
 * no client (UNKNOWN, LOCAL) leaves the addresses of the connection as they are. A `ProxyHeaderReader` strips the
 * header from a stream.
 *
 * Guarantee: a header is read up to a fixed limit of bytes, whatever follows it is passed on untouched, and anything
 * else than a valid header is a `ProxyHeaderError`.
 *
 * Source of the section numbers below: W. Tarreau, "The PROXY protocol, versions 1 & 2", HAProxy, 2020.
 */

import { isIPv4 } from 'node:net';
import { RealmError } from '../../lib/errors.ts';
import { parseIpAddress, type IpFamily } from '../../lib/ip-address.ts';
import { clientIp } from '../../lib/client-address.ts';

/** One side of a connection, as the proxy that accepted it has seen it. */
export type ProxyPeer = { readonly address: string; readonly port: number };

/** Where a client connected from, and to. */
export type ProxyAddresses = { readonly source: ProxyPeer; readonly destination: ProxyPeer };

/** The header of a client is missing, invalid or late. */
export class ProxyHeaderError extends RealmError {
  readonly code = 'REALM_PROXY_HEADER';
}

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const v1Prefix = Buffer.from('PROXY ', 'latin1');
/** The longest header that is accepted, in bytes. */
export const maxHeaderBytes = 4096;
/** Section 2.1: the longest line, CR LF included. */
const maxV1Bytes = 107;
const v2HeadBytes = 16;
const v2Local = 0x20;
const v2Proxy = 0x21;
const v2Tcp4 = 0x11;
const v2Tcp6 = 0x21;
const v2Udp4 = 0x12;
const v2Udp6 = 0x22;
/** A Map, because a client chooses the key. */
const v1Families: ReadonlyMap<string, IpFamily> = new Map([
  ['TCP4', 'IPv4'],
  ['TCP6', 'IPv6'],
]);
const notPrintable = /[^ -~]/;

/** The header that states the addresses; an IPv4-mapped address (RFC 4291, section 2.5.5.2) counts as IPv4. */
export function proxyHeader(version: 1 | 2, { source, destination }: ProxyAddresses): Buffer {
  const [from, to] = [plainIp(source), plainIp(destination)];
  const [ports, isBothIpv4] = [[source.port, destination.port] as const, isIPv4(from) && isIPv4(to)];
  if (isBothIpv4) return version === 1 ? v1('TCP4', [from, to], ports) : v2(v2Tcp4, [from, to], ports);
  const both = [ipv6Of(from), ipv6Of(to)] as const;
  return version === 1 ? v1('TCP6', both, ports) : v2(v2Tcp6, both, ports);
}

/**
 * The header of a datagram, of version 2, since version 1 has no UDP (section 2.1); otherwise like `proxyHeader`. A
 * destination that is a wildcard address is that of the source's family.
 */
export function datagramHeader({ source, destination }: ProxyAddresses): Buffer {
  const from = plainIp(source);
  const asked = plainIp(destination);
  const to = asked === '::' && isIPv4(from) ? '0.0.0.0' : asked;
  const ports = [source.port, destination.port] as const;
  if (isIPv4(from) && isIPv4(to)) return v2(v2Udp4, [from, to], ports);
  return v2(v2Udp6, [ipv6Of(from), ipv6Of(to)], ports);
}

/** The header of what the relay sends on its own account, such as a health check: it names no client. */
export function ownProxyHeader(version: 1 | 2): Buffer {
  // Section 2.1: UNKNOWN, alone on the line. Section 2.2: LOCAL, family and length zero.
  return version === 1
    ? Buffer.from('PROXY UNKNOWN\r\n')
    : Buffer.concat([signature, Buffer.from([v2Local, 0, 0, 0])]);
}

function plainIp({ address }: ProxyPeer): string {
  return clientIp(address.replace(/%.*/, ''));
}

function ipv6Of(ip: string): string {
  return isIPv4(ip) ? `::ffff:${ip}` : ip;
}

type Pair<T> = readonly [T, T];

function v1(family: string, ips: Pair<string>, ports: Pair<number>): Buffer {
  return Buffer.from(`${['PROXY', family, ...ips, ...ports].join(' ')}\r\n`, 'latin1');
}

function v2(family: number, ips: Pair<string>, ports: Pair<number>): Buffer {
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(ports[0], 0);
  tail.writeUInt16BE(ports[1], 2);
  const body = Buffer.concat([...ips.map(addressBytes), tail]);
  return Buffer.concat([signature, Buffer.from([v2Proxy, family, 0, body.length]), body]);
}

function addressBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number));
  const mapped = parseIpAddress(ip)?.mapped;
  if (mapped !== undefined)
    return Buffer.concat([Buffer.alloc(10), Buffer.from([255, 255]), addressBytes(mapped)]);
  const [left = [], right = []] = ip
    .split('::')
    .map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return Buffer.from([...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** A complete header. */
export type ReadHeader = {
  /** Absent if it names no TCP client: LOCAL, UNKNOWN, and families other than TCP over IP. */
  readonly addresses?: ProxyAddresses;
  /** Its length in bytes, including TLV fields. */
  readonly length: number;
};

/**
 * Reads the header at the start of `bytes`, in either version. Considers at most `maxHeaderBytes` bytes.
 *
 * @returns undefined if more bytes are needed.
 * @throws ProxyHeaderError if `bytes` are not the start of a valid header.
 */
export function parseProxyHeader(bytes: Buffer): ReadHeader | undefined {
  if (isPrefixOf(bytes, signature)) return readV2(bytes);
  if (isPrefixOf(bytes, v1Prefix)) return readV1(bytes);
  throw new ProxyHeaderError('the client sent no PROXY header');
}

function isPrefixOf(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

/** Section 2.1: `PROXY FAMILY SOURCE DESTINATION SOURCE_PORT DESTINATION_PORT`, single spaces, CR LF. */
function readV1(bytes: Buffer): ReadHeader | undefined {
  const line = v1Line(bytes);
  if (line === undefined) return undefined;
  const [, family = '', ...fields] = line.split(' ');
  const length = line.length + 2;
  // Section 2.1: after UNKNOWN the rest of the line is ignored.
  return family === 'UNKNOWN' ? { length } : { length, addresses: v1Addresses(family, fields) };
}

/** The line without its CR LF; undefined if it is incomplete. Section 2.1: at most 107 bytes, all of US-ASCII. */
function v1Line(bytes: Buffer): string | undefined {
  const line = bytes.toString('latin1', 0, Math.min(bytes.length, maxV1Bytes));
  const end = line.search(notPrintable);
  if (end !== -1 && line.startsWith('\r\n', end)) return line.slice(0, end);
  const isIncomplete = end === -1 || (end === line.length - 1 && line.endsWith('\r'));
  if (!isIncomplete)
    throw new ProxyHeaderError('the PROXY header of the client has a character that is not printable ASCII');
  if (line.length === maxV1Bytes)
    throw new ProxyHeaderError('the PROXY header of the client is not terminated');
  return undefined;
}

function v1Addresses(family: string, fields: readonly string[]): ProxyAddresses {
  const ipFamily = v1Families.get(family);
  const [from, to] = fields.slice(0, 2).map((text) => v1Ip(text, ipFamily));
  const [fromPort, toPort] = fields.slice(2).map(v1Port);
  if (fields.length !== 4 || from === undefined || to === undefined) throw noAddresses();
  if (fromPort === undefined || toPort === undefined) throw noAddresses();
  return { source: { address: from, port: fromPort }, destination: { address: to, port: toPort } };
}

function noAddresses(): ProxyHeaderError {
  return new ProxyHeaderError('the PROXY header of the client has no valid addresses');
}

/** Section 2.1: an address of the stated family. A zone would be one of another machine. */
function v1Ip(text: string, family: IpFamily | undefined): string | undefined {
  const ip = parseIpAddress(text);
  return ip?.zone === '' && ip.family === family ? ip.text : undefined;
}

/** Section 2.1: decimal, 0 to 65535, without leading zeros. */
function v1Port(text: string): number | undefined {
  const port = /^(?:0|[1-9][0-9]{0,4})$/.test(text) ? Number(text) : Infinity;
  return port <= 65_535 ? port : undefined;
}

/** Section 2.2: a fixed head, then as many bytes as it states: addresses, and TLV fields, which are skipped. */
function readV2(bytes: Buffer): ReadHeader | undefined {
  if (bytes.length < v2HeadBytes) return undefined;
  const { family, length } = v2Head(bytes);
  if (bytes.length < length) return undefined;
  if (family === v2Tcp4) return { length, addresses: v2Addresses(bytes, 4) };
  if (family === v2Tcp6) return { length, addresses: v2Addresses(bytes, 16) };
  return { length };
}

/**
 * Checks the fixed head.
 *
 * @returns the length of the whole header; no family for LOCAL, where section 2.2 ignores it.
 */
function v2Head(bytes: Buffer): { readonly family?: number; readonly length: number } {
  const command = bytes.readUInt8(12);
  if (command !== v2Local && command !== v2Proxy)
    throw new ProxyHeaderError('the PROXY header has an unknown command');
  const length = v2HeadBytes + bytes.readUInt16BE(14);
  if (length > maxHeaderBytes) throw new ProxyHeaderError('the PROXY header is longer than 4096 bytes');
  if (command === v2Local) return { length };
  const family = bytes.readUInt8(13);
  if (length < v2HeadBytes + v2AddressBytes(family))
    throw new ProxyHeaderError('the PROXY header is too short for its addresses');
  return { family, length };
}

/** Section 2.2: the bytes that both addresses and ports of a family take; other families must be rejected. */
function v2AddressBytes(family: number): number {
  const [addressFamily, transport] = [family >> 4, family & 0x0f]; // UNSPEC, INET, INET6, UNIX; UNSPEC, STREAM, DGRAM
  const bytes = [0, 12, 36, 216][addressFamily];
  if (bytes === undefined || transport > 2)
    throw new ProxyHeaderError('the PROXY header has an unknown address family');
  return bytes;
}

function v2Addresses(bytes: Buffer, size: 4 | 16): ProxyAddresses {
  const [to, ports] = [v2HeadBytes + size, v2HeadBytes + 2 * size];
  return {
    source: { address: addressText(bytes.subarray(v2HeadBytes, to)), port: bytes.readUInt16BE(ports) },
    destination: { address: addressText(bytes.subarray(to, ports)), port: bytes.readUInt16BE(ports + 2) },
  };
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  return parseIpAddress(groups.join(':'))?.text ?? '';
}
