import { addressFamily } from '../../lib/ip-address.ts';

/** The settings of a resolv.conf(5) that rule lookups here. */
export type ResolvConf = {
  /** IP addresses, with a zone if they have one, in the order in which to ask; at least one. */
  readonly nameservers: readonly string[];
  /** Domains without dots around them. */
  readonly search: readonly string[];
  /** A name with fewer dots is searched for before it is queried as it is. */
  readonly ndots: number;
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly rotate: boolean;
  /** Query over TCP only. */
  readonly isTcpOnly: boolean;
  /** Do not ask for IPv6 addresses. */
  readonly isIpv4Only: boolean;
};

/** The environment variables that override a resolv.conf. */
export type ResolverEnvironment = { readonly LOCALDOMAIN?: string; readonly RES_OPTIONS?: string };

/** MAXNS of resolv.conf(5). */
const maxNameservers = 3;

/** What a file without these options means. The time is that of c-ares: 5 s would be as long as `tcp_timeout`. */
export const queryDefaults = { ndots: 1, timeoutMs: 2000, attempts: 3, rotate: false };

/** Reads a resolv.conf; lines that it does not know are ignored, and one that comes later wins, as in resolv.conf(5). */
export function parseResolvConf(text: string, environment: ResolverEnvironment = {}): ResolvConf {
  const lines = text.split('\n').map((line) =>
    line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/),
  );
  const valuesOf = (...words: string[]): string[][] =>
    lines.filter(([word = '']) => words.includes(word)).map(([, ...values]) => values);
  const servers = valuesOf('nameserver').flatMap(([address = '']) => {
    return addressFamily(address) === undefined ? [] : [address];
  });
  const domains = environment.LOCALDOMAIN?.split(/\s+/) ?? valuesOf('search', 'domain').at(-1) ?? [];
  const words = [...valuesOf('options').flat(), ...(environment.RES_OPTIONS ?? '').split(/\s+/)];
  return {
    nameservers: servers.length === 0 ? ['127.0.0.1'] : servers.slice(0, maxNameservers),
    search: domains.map((domain) => domain.replace(/^\.|\.$/g, '')).filter((domain) => domain !== ''),
    ...parseOptions(words),
  };
}

function parseOptions(words: readonly string[]): Omit<ResolvConf, 'nameservers' | 'search'> {
  const number = (name: string, fallback: number, [min, max]: readonly [number, number]): number => {
    const values = words.flatMap((word) => new RegExp(`^${name}:([0-9]{1,9})$`).exec(word)?.[1] ?? []);
    return Math.min(max, Math.max(min, Number(values.at(-1) ?? fallback)));
  };
  return {
    ndots: number('ndots', queryDefaults.ndots, [0, 15]),
    timeoutMs: number('timeout', queryDefaults.timeoutMs / 1000, [1, 30]) * 1000,
    attempts: number('attempts', queryDefaults.attempts, [1, 5]),
    rotate: words.includes('rotate'),
    isTcpOnly: words.includes('use-vc'),
    isIpv4Only: words.includes('no-aaaa'),
  };
}

/** A name that fits a query: labels of up to 63 bytes, 253 in all. Source: RFC 1035, section 2.3.4. */
const queryable = /^(?!.{254})[^.\s]{1,63}(?:\.[^.\s]{1,63})*$/;

/**
 * The absolute names to query in turn for `host`: one with fewer dots than `ndots` in the search domains first, and then
 * as it is; another the other way round. One that ends with a dot is only queried as it is. Source: resolv.conf(5).
 */
export function searchNames(host: string, { search, ndots }: Pick<ResolvConf, 'search' | 'ndots'>): string[] {
  if (host.endsWith('.')) return [host.slice(0, -1)];
  const searched = search.map((domain) => `${host}.${domain}`);
  const dots = host.split('.').length - 1;
  const names = dots >= ndots ? [host, ...searched] : [...searched, host];
  return [...new Set(names)].filter((name) => queryable.test(name));
}
