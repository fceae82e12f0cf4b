import {
  isMapping,
  listOf,
  oneOf,
  wholeNumber,
  type FieldsOf,
  type Findings,
  type Rule,
} from '../lib/document-rules.ts';
import type { SocketAddress } from './address.ts';

/** Which addresses of a name are asked for, and their order; `ipv6_and_ipv4` is what no `mode` means. */
export type DnsMode = (typeof modes)[number] | 'ipv6_and_ipv4';

const modes = ['ipv4_only', 'ipv6_only', 'ipv4_and_ipv6', 'ipv4_then_ipv6', 'ipv6_then_ipv4'] as const;
const protocols = ['tcp', 'udp', 'tcp_and_udp'] as const;
const mostSeconds = 4_294_967; // more than a timer takes, but nothing is timed by it
const mostNames = 1_000_000;

/** How names become addresses where the configuration has a say in it. */
export type DnsConfig = {
  readonly mode: DnsMode;
  /** Ask by TCP alone; else by UDP, and by TCP where an answer is cut. */
  readonly isTcpOnly: boolean;
  /** Empty = those of the system. */
  readonly nameservers: readonly SocketAddress[];
  /** Whether the search domains of the system count. */
  readonly isSearching: boolean;
  /** An answer is kept for its own time to live, but not shorter. */
  readonly minTtlMs: number;
  /** And not longer. */
  readonly maxTtlMs: number;
  /** Names whose answers are kept. */
  readonly cacheSize: number;
};

/** The rules of Realm's `[dns]`, given that of an address. */
export function dnsRulesWith(address: Rule<SocketAddress>) {
  return {
    mode: oneOf(modes),
    protocol: oneOf(protocols),
    nameservers: listOf(address),
    min_ttl: wholeNumber(0, mostSeconds),
    max_ttl: wholeNumber(0, mostSeconds),
    cache_size: wholeNumber(0, mostNames),
  };
}

/** A dns table as read. */
export type ReadDns = FieldsOf<ReturnType<typeof dnsRulesWith>>;

/**
 * What a dns table asks for.
 *
 * @returns undefined where it asks for nothing: the system looks names up in its own way.
 */
export function dnsConfig(read: ReadDns, findings: Findings): DnsConfig | undefined {
  if (!isMapping(read) || Object.keys(read).length === 0) return undefined;
  const { mode = 'ipv6_and_ipv4', protocol, nameservers, min_ttl: min = 0, max_ttl: max = 86_400 } = read;
  if (min > max) {
    const remedy = `give at most ${String(max)}, or raise max_ttl`;
    findings.problems.push({ path: ['dns', 'min_ttl'], what: 'is above max_ttl', value: min, remedy });
  }
  return {
    mode,
    isTcpOnly: protocol === 'tcp',
    nameservers: nameservers ?? [],
    isSearching: nameservers === undefined && protocol === undefined, // as Realm has it
    minTtlMs: min * 1000,
    maxTtlMs: max * 1000,
    cacheSize: read.cache_size ?? 32,
  };
}
