import { isMapping, listOf, oneOf, wholeNumber, type Findings } from '../lib/document-rules.ts';
import type { SocketAddress } from './address.ts';
import { remoteAddress } from './address-rules.ts';
import { key, milliseconds, setting, settingsOf, type Settings, type Written } from './key-table.ts';

/** Which addresses of a name are asked for, and their order; `ipv6_and_ipv4` is what no `mode` means. */
export type DnsMode = (typeof modes)[number] | 'ipv6_and_ipv4';

const modes = ['ipv4_only', 'ipv6_only', 'ipv4_and_ipv6', 'ipv4_then_ipv6', 'ipv6_then_ipv4'] as const;
const protocols = ['tcp', 'udp', 'tcp_and_udp'] as const;
const mostSeconds = 4_294_967; // more than a timer takes, but nothing is timed by it
const mostNames = 1_000_000;

/** Keys that become a field of `DnsConfig` each. */
const cacheKeys = {
  /** Seconds that an answer is kept at least, whatever its own time to live; default 0. */
  min_ttl: setting('minTtlMs', wholeNumber(0, mostSeconds), 0, milliseconds),
  /** And at most; default 86,400. */
  max_ttl: setting('maxTtlMs', wholeNumber(0, mostSeconds), 86_400, milliseconds),
  /** Names whose answers are kept; default 32, 0 = none. */
  cache_size: setting('cacheSize', wholeNumber(0, mostNames), 32),
};

/** The keys of Realm's `[dns]`; where it says nothing, names are looked up in the system's own way. */
export const dnsKeys = {
  /** Which addresses of a name are asked for, and their order; default IPv6 first, then IPv4. */
  mode: key(oneOf(modes)),
  /** Default `tcp_and_udp`: UDP, and TCP for an answer that is cut; so is `udp`. */
  protocol: key(oneOf(protocols)),
  /** `HOST:PORT` each; default those of the system. */
  nameservers: key(listOf(remoteAddress)),
  ...cacheKeys,
};

/** How names become addresses where the configuration has a say in it; `cacheKeys` documents the bounds of the cache. */
export type DnsConfig = Settings<typeof cacheKeys> & {
  readonly mode: DnsMode;
  /** Ask by TCP alone; else by UDP, and by TCP where an answer is cut. */
  readonly isTcpOnly: boolean;
  /** Empty = those of the system. */
  readonly nameservers: readonly SocketAddress[];
  /** Whether the search domains of the system count. */
  readonly isSearching: boolean;
};

/** A dns table as read. */
export type ReadDns = Written<typeof dnsKeys>;

/**
 * What a dns table asks for.
 *
 * @returns undefined where it asks for nothing: the system looks names up in its own way.
 */
export function dnsConfig(read: ReadDns, findings: Findings): DnsConfig | undefined {
  if (!isMapping(read) || Object.keys(read).length === 0) return undefined;
  const { mode = 'ipv6_and_ipv4', protocol, nameservers } = read;
  const cache = settingsOf(cacheKeys, read);
  if (cache.minTtlMs > cache.maxTtlMs) {
    const remedy = `give at most ${String(cache.maxTtlMs / 1000)}, or raise max_ttl`;
    const value = cache.minTtlMs / 1000;
    findings.problems.push({ path: ['dns', 'min_ttl'], what: 'is above max_ttl', value, remedy });
  }
  return {
    mode,
    isTcpOnly: protocol === 'tcp',
    nameservers: nameservers ?? [],
    isSearching: nameservers === undefined && protocol === undefined, // as Realm has it
    ...cache,
  };
}
