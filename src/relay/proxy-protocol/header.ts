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

import { isIPv4, isIPv6 } from 'node:net';
import { RealmError } from '../../lib/errors.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
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
const maxV1Bytes = 107;
const maxV2Bytes = 4096;
const v2HeadBytes = 16;

/** The header that states the addresses; an IPv4-mapped address (RFC 4291, section 2.5.5.2) counts as IPv4. */
export function proxyHeader(version: 1 | 2, { source, destination }: ProxyAddresses): Buffer {
  const [from, to] = [plainIp(source), plainIp(destination)];
  const [ports, isBothIpv4] = [[source.port, destination.port] as const, isIPv4(from) && isIPv4(to)];
  if (isBothIpv4) return version === 1 ? v1('TCP4', [from, to], ports) : v2(0x11, [from, to], ports);
  const both = [ipv6Of(from), ipv6Of(to)] as const;
  return version === 1 ? v1('TCP6', both, ports) : v2(0x21, both, ports);
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
  return Buffer.concat([signature, Buffer.from([0x21, family, 0, body.length]), body]);
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
 * Reads the header at the start of `bytes`, in either version.
 *
 * @returns undefined if more bytes are needed.
 * @throws ProxyHeaderError as soon as no further bytes can complete a valid header.
 */
export function parseProxyHeader(bytes: Buffer): ReadHeader | undefined {
  if (isPrefixOf(bytes, signature)) return readV2(bytes);
  if (isPrefixOf(bytes, v1Prefix)) return readV1(bytes);
  throw new ProxyHeaderError('the client sent no PROXY header');
}

function isPrefixOf(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function readV1(bytes: Buffer): ReadHeader | undefined {
  const line = bytes.subarray(0, maxV1Bytes).toString('latin1');
  const end = line.indexOf('\r\n');
  if (end === -1 && bytes.length < maxV1Bytes) return undefined;
  if (end === -1) throw new ProxyHeaderError('the PROXY header of the client has no end');
  const [, family = '', ...words] = line.slice(0, end).split(' ');
  const length = end + 2;
  return family === 'UNKNOWN' ? { length } : { length, addresses: v1Addresses(family, words) };
}

function v1Addresses(family: string, words: readonly string[]): ProxyAddresses {
  const is = { TCP4: isIPv4, TCP6: isIPv6 }[family];
  const [ips, ports] = [words.slice(0, 2), words.slice(2)];
  const isWhole = words.length === 4 && is !== undefined && ips.every((ip) => is(ip)) && ports.every(isPort);
  if (!isWhole) throw new ProxyHeaderError('the PROXY header of the client holds no addresses');
  return addressesOf(ips[0], Number(ports[0]), ips[1], Number(ports[1]));
}

function isPort(text: string): boolean {
  return /^[0-9]{1,5}$/.test(text) && Number(text) <= 65_535;
}

function readV2(bytes: Buffer): ReadHeader | undefined {
  if (bytes.length < v2HeadBytes) return undefined;
  const [command, length] = [bytes.readUInt8(12), v2HeadBytes + bytes.readUInt16BE(14)];
  if (command !== 0x20 && command !== 0x21)
    throw new ProxyHeaderError('the PROXY header has an unknown command');
  if (length > maxV2Bytes) throw new ProxyHeaderError('the PROXY header is longer than 4096 bytes');
  if (bytes.length < length) return undefined;
  const size = { 0x11: 4, 0x21: 16 }[bytes.readUInt8(13)];
  if (command === 0x20 || size === undefined) return { length }; // LOCAL, or no TCP
  if (length < v2HeadBytes + 2 * size + 4)
    throw new ProxyHeaderError('the PROXY header is too short for its addresses');
  const [to, ports] = [v2HeadBytes + size, v2HeadBytes + 2 * size];
  const [source, destination] = [bytes.subarray(v2HeadBytes, to), bytes.subarray(to, ports)].map(addressText);
  const addresses = addressesOf(
    source,
    bytes.readUInt16BE(ports),
    destination,
    bytes.readUInt16BE(ports + 2),
  );
  return { length, addresses };
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.');
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  return parseIpAddress(groups.join(':'))?.text ?? '';
}

function addressesOf(from = '', fromPort: number, to = '', toPort: number): ProxyAddresses {
  return { source: { address: from, port: fromPort }, destination: { address: to, port: toPort } };
}
