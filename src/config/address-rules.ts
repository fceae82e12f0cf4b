import { listOf, text, type Rule } from '../lib/document-rules.ts';
import { hostText, isUnspecified, parseIpAddress } from '../lib/ip-address.ts';
import type { Diagnosis } from '../lib/problem.ts';
import { isFault, parseSocketAddress, type AddressFault, type SocketAddress } from './address.ts';

/** An address to listen on; port 0 = any free port. */
export const listenAddress: Rule<SocketAddress> = (value, path, findings) => {
  const written = text(value, path, findings);
  if (written === undefined) return undefined;
  const parsed = parseSocketAddress(written);
  if (!isFault(parsed)) return parsed;
  findings.problems.push({ path, value, ...parsed });
  return undefined;
};

/** An address to dial. */
export const remoteAddress: Rule<SocketAddress> = (value, path, findings) => {
  const address = listenAddress(value, path, findings);
  if (address?.port !== 0) return address;
  findings.problems.push({ path, what: 'has no port to dial', value, remedy: 'use a port from 1 to 65535' });
  return undefined;
};

/** An address or a name to dial from, with or without a port; '' and, without a port, 0.0.0.0 and :: = any, so no binding. */
export const sourceAddress: Rule<SocketAddress> = (value, path, findings) => {
  const written = text(value, path, findings);
  if (written === undefined || written === '') return undefined;
  const parsed = parseSource(written);
  if (isFault(parsed)) {
    const remedy = 'write IP, IP:PORT or HOST:PORT';
    findings.problems.push({ path, what: parsed.what, value, remedy });
    return undefined;
  }
  if (parsed.port === 0 && parsed.ip !== undefined && isUnspecified(parsed.ip)) return undefined;
  const warning = sourceWarning(written, parsed);
  if (warning !== undefined) findings.warnings.push({ path, value, ...warning });
  return parsed;
};

function parseSource(written: string): SocketAddress | AddressFault {
  const bare = parseIpAddress(written.replace(/^\[?(.*?)\]?$/s, '$1')); // Realm needs no second bracket
  if (bare !== undefined) return parseSocketAddress(`${hostText(bare)}:0`);
  return parseSocketAddress(written.includes(':') ? written : `${written}:0`);
}

function sourceWarning(written: string, { port, ip }: SocketAddress): Diagnosis | undefined {
  if (port !== 0) {
    const what = 'has a port, so each remote address can have only one connection at a time';
    return { what, remedy: 'leave it out' };
  }
  if (ip !== undefined || written.includes(':')) return undefined;
  const what = 'is a host name without a port, which Realm ignores';
  return { what, remedy: `write "${written}:0", which Realm looks up, too` };
}

/** An IP address, or a range of them: `10.0.0.0/8`. */
const ipRange: Rule<string> = (value, path, findings) => {
  const written = text(value, path, findings);
  if (written === undefined) return undefined;
  const [, address = '', prefix = '0'] = /^([^/%]+)(?:\/([0-9]{1,3}))?$/.exec(written) ?? [];
  const ip = parseIpAddress(address);
  if (ip !== undefined && Number(prefix) <= (ip.family === 'IPv4' ? 32 : 128)) return written;
  const remedy = 'write an address or a range, such as "10.0.0.0/8" or "2001:db8::/32"';
  findings.problems.push({ path, what: 'is not a range of IP addresses', value, remedy });
  return undefined;
};

/** A list of IP addresses and ranges; may be empty. */
export const ipRanges: Rule<readonly string[]> = listOf(ipRange);

/**
 * A list of IP addresses and ranges. An empty one is rejected: it looks like "no client", but would admit every client.
 *
 * @param everyone  what removing the key does, for the remedy.
 */
export function sources(everyone: string): Rule<readonly string[]> {
  return (value, path, findings) => {
    const ranges = ipRanges(value, path, findings);
    if (!Array.isArray(value) || value.length > 0) return ranges;
    const remedy = `name a source, or remove the key to ${everyone}`;
    findings.problems.push({ path, what: 'is empty', remedy });
    return undefined;
  };
}
