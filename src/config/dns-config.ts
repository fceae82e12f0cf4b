import { cappedNumber, isMapping, listOf, oneOf, type Findings } from '../lib/document-rules.ts';
import type { SocketAddress } from './address.ts';
import { remoteAddress } from './address-rules.ts';
import { key, milliseconds, setting, settingsOf, type Settings, type Written } from './key-table.ts';

/** Which address families of a name are looked up, and in which order; without a `mode`, `ipv6_and_ipv4`. */
export type DnsMode = (typeof modes)[number] | 'ipv6_and_ipv4';

const modes = ['ipv4_only', 'ipv6_only', 'ipv4_and_ipv6', 'ipv4_then_ipv6', 'ipv6_then_ipv4'] as const;
const protocols = ['tcp', 'udp', 'tcp_and_udp'] as const;
const maxSeconds = 4_294_967_295; // as in Realm; above the maximum of a timer, but no timer uses it
const maxNames = 1_000_000;

/** Keys that each become a field of `DnsConfig`. */
const cacheKeys = {
  /** Minimum seconds to cache an answer, whatever its own time to live, as far as `max_ttl` allows; default 0. */
  min_ttl: setting('minTtlMs', cappedNumber(0, maxSeconds), 0, milliseconds),
  /** Maximum seconds to cache an answer; default 86,400. */
  max_ttl: setting('maxTtlMs', cappedNumber(0, maxSeconds), 86_400, milliseconds),
  /** Number of names whose answers are cached; default 32, 0 = none. */
  cache_size: setting('cacheSize', cappedNumber(0, maxNames), 32),
};

/** The keys of Realm's `[dns]`; without any of them, the system's resolver looks names up. */
export const dnsKeys = {
  /** Which address families of a name are looked up, and in which order; default IPv6 first, then IPv4. */
  mode: key(oneOf(modes)),
  /** Default `tcp_and_udp`: UDP, and TCP if an answer is truncated; `udp` means the same. */
  protocol: key(oneOf(protocols)),
  /** `HOST:PORT` each; default: those of the system. */
  nameservers: key(listOf(remoteAddress)),
  ...cacheKeys,
};

/** How names are looked up if the configuration sets it; `cacheKeys` documents the limits of the cache. */
export type DnsConfig = Settings<typeof cacheKeys> & {
  readonly mode: DnsMode;
  /** Query over TCP only; otherwise over UDP, and over TCP if an answer is truncated. */
  readonly isTcpOnly: boolean;
  /** Empty = those of the system. */
  readonly nameservers: readonly SocketAddress[];
  /** Whether the system's search domains apply. */
  readonly isSearching: boolean;
};

/** A dns table as read. */
export type ReadDns = Written<typeof dnsKeys>;

/**
 * The settings in a dns table.
 *
 * @returns undefined if it is empty: the system's resolver then looks names up.
 */
export function dnsConfig(read: ReadDns, findings: Findings): DnsConfig | undefined {
  if (!isMapping(read) || Object.keys(read).length === 0) return undefined;
  const { mode = 'ipv6_and_ipv4', protocol, nameservers } = read;
  const cache = settingsOf(cacheKeys, read);
  if (cache.minTtlMs > cache.maxTtlMs) {
    const most = String(cache.maxTtlMs / 1000);
    const what = `is above max_ttl, so that answers are cached for ${most} seconds`;
    const remedy = `give at most ${most}, or raise max_ttl`;
    findings.warnings.push({ path: ['dns', 'min_ttl'], what, value: cache.minTtlMs / 1000, remedy });
  }
  return {
    mode,
    isTcpOnly: protocol === 'tcp',
    nameservers: nameservers ?? [],
    isSearching: nameservers === undefined && protocol === undefined, // as in Realm
    ...cache,
  };
}
