import { fields, isMapping, listOf, text, type Findings, type Rule } from '../lib/document-rules.ts';
import type { Path } from '../lib/problem.ts';
import { ownValue } from '../lib/record.ts';
import { parseUnsigned } from '../lib/unsigned.ts';
import { isFault, parseSocketAddress } from './address.ts';

const keys = ['listening_addresses', 'listening_ports', 'remote_addresses', 'remote_ports'] as const;

/** Whether `document` uses the keys of Realm before 2.0, which listed addresses and ports separately. */
export function isLegacy(document: unknown): boolean {
  return (
    isMapping(document) &&
    document['endpoints'] === undefined &&
    keys.some((key) => Object.hasOwn(document, key))
  );
}

/** An address without a port. */
const host: Rule<string> = (value, path, findings) => {
  const written = text(value, path, findings);
  if (written === undefined || !isFault(parseSocketAddress(`${written}:1`))) return written;
  const remedy = 'write an IP address or a host name, without a port';
  findings.problems.push({ path, what: 'is not an address', value, remedy });
  return undefined;
};

type PortRange = { readonly from: number; readonly to: number };

/** One port, or those of a range: `8080`, `8080-8090`. */
const ports: Rule<PortRange> = (value, path, findings) => {
  const written = text(value, path, findings);
  if (written === undefined) return undefined;
  const [first = '', last = first, ...more] = written.split('-').map((part) => part.trim());
  const [from, to] = [parseUnsigned(first), parseUnsigned(last)];
  if (from !== undefined && to !== undefined && more.length === 0 && from <= to && to <= 65_535)
    return { from, to };
  const remedy = 'write a port from 0 to 65535, or a range such as "8080-8090"';
  findings.problems.push({ path, what: 'is neither a port nor a range of ports', value, remedy });
  return undefined;
};

/** Each listening port becomes an endpoint; there is no use for more than one address has. */
const maxPorts = 65_536;

/** Lists of ports and ranges of ports, with the ports of all of them counted before there is a list of them. */
const portLists: Rule<readonly number[]> = (value, path, findings) => {
  const ranges = listOf(ports)(value, path, findings) ?? [];
  const count = ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  if (count <= maxPorts) return ranges.flatMap(range);
  const remedy = `list at most ${String(maxPorts)} in a file`;
  findings.problems.push({ path, what: `has ${String(count)} ports`, remedy });
  return undefined;
};

function range({ from, to }: PortRange): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

const legacyRule = fields(
  {
    listening_addresses: listOf(host),
    listening_ports: portLists,
    remote_addresses: listOf(host),
    remote_ports: portLists,
  },
  keys,
);

/**
 * Converts a legacy document to the keys of today: one endpoint per listening port, in their order, with the n-th entry of
 * each other list, or its first entry if the list is shorter.
 *
 * @returns undefined if it is not valid, which `findings` reports.
 */
export function modernDocument(document: unknown, findings: Findings): unknown {
  const read = legacyRule(document, [], findings);
  for (const key of keys) if (isEmpty(document, key)) findings.problems.push(emptyList([key]));
  if (findings.problems.length > 0 || read === undefined) return undefined;
  const [listens, remotes] = [nth(read.listening_addresses), nth(read.remote_addresses)];
  const remotePorts = nth(read.remote_ports);
  const endpoints = read.listening_ports?.map((port, index) => ({
    listen: joined(listens(index), port),
    remote: joined(remotes(index), remotePorts(index)),
  }));
  return { endpoints };
}

/** The n-th entry of `list`, or its first one if the list is shorter. */
function nth<T>(list: readonly T[] = []): (index: number) => T | undefined {
  return (index) => list[index] ?? list[0];
}

function joined(address = '', port = 0): string {
  const isBareIpv6 = address.includes(':') && !address.startsWith('[');
  return `${isBareIpv6 ? `[${address}]` : address}:${String(port)}`;
}

function isEmpty(document: unknown, key: string): boolean {
  const value = isMapping(document) ? ownValue(document, key) : undefined;
  return Array.isArray(value) && value.length === 0;
}

function emptyList(path: Path) {
  return { path, what: 'is empty', remedy: 'list at least one' };
}
