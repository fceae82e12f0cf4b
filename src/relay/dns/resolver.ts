/**
 * `dns`: turns a host name into IP addresses.
 *
 * Vocabulary. A `Lookup` returns every address of a name, in the order in which to try them. The system's lookup
 * follows the machine's own rules. A `[dns]` table replaces it by the hosts file and queries to name servers, whose
 * answers a cache keeps for their time to live (TTL). A zone is the interface of a link-local address.
 *
 * Guarantee: a lookup either returns at least one address or rejects with the most significant error; simultaneous
 * lookups of one name through `[dns]` share one query; failures are never cached.
 */

import { Resolver } from 'node:dns/promises';
import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { socketAddressText, type SocketAddress } from '../../config/address.ts';
import type { DnsConfig, DnsMode } from '../../config/dns-config.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError, errorCode } from '../../lib/errors.ts';
import { hostText, parseIpAddress, type IpFamily } from '../../lib/ip-address.ts';
import { AnswerCache, type Answer } from './answer-cache.ts';
import { systemAddresses, type Lookup } from './lookup.ts';
import { hostsAddresses, searchNames } from './hosts-file.ts';

/** The system's own files for name lookups. */
export type SystemFiles = { readonly hosts: string; readonly resolvConf: string };

const systemFiles: SystemFiles = { hosts: '/etc/hosts', resolvConf: '/etc/resolv.conf' };

/**
 * The address families of each mode. Those of one group are queried at once; the next group only if one yields
 * nothing.
 */
const groupsOf: Readonly<Record<DnsMode, readonly (readonly IpFamily[])[]>> = {
  ipv4_only: [['IPv4']],
  ipv6_only: [['IPv6']],
  ipv4_and_ipv6: [['IPv4', 'IPv6']],
  ipv6_and_ipv4: [['IPv6', 'IPv4']],
  ipv4_then_ipv6: [['IPv4'], ['IPv6']],
  ipv6_then_ipv4: [['IPv6'], ['IPv4']],
};

/** Resolves host names: with the system's lookup until a configuration has a `[dns]` table. */
export class NameResolver {
  readonly #clock: Clock;
  readonly #files: SystemFiles;
  #config: DnsConfig | undefined;
  #lookup: Lookup = systemAddresses;

  constructor(clock: Clock, files: SystemFiles = systemFiles) {
    this.#clock = clock;
    this.#files = files;
  }

  /** Resolves names by `config` from now on; undefined = the system's lookup. An equal `config` keeps the cache. */
  configure(config: DnsConfig | undefined): void {
    if (isDeepStrictEqual(config, this.#config)) return;
    this.#config = config;
    this.#lookup = config === undefined ? systemAddresses : cachedLookup(config, this.#clock, this.#files);
  }

  /** Every address of a name, in the order in which to try them; rejects if it has none. */
  readonly lookup: Lookup = (host) => this.#lookup(host);
}

function cachedLookup(config: DnsConfig, clock: Clock, files: SystemFiles): Lookup {
  let resolver: Promise<Resolver> | undefined; // created on first use
  const cache = new AnswerCache(config.cacheSize, clock, async (host) => {
    const found = hostsAddresses(await fileText(files.hosts), host);
    for (const group of groupsOf[config.mode]) {
      const addresses = group.flatMap((each) => found.filter(({ family }) => family === each));
      if (addresses.length > 0) return { addresses: addresses.map(({ address }) => address), ttlMs: 0 };
    }
    resolver ??= resolverOf(config).catch((error: unknown) => {
      resolver = undefined; // the host name of a name server may resolve later
      throw error;
    });
    const names = config.isSearching ? searchNames(await fileText(files.resolvConf), host) : [host];
    const answer = await firstAnswer(await resolver, names, config.mode);
    return { ...answer, ttlMs: Math.min(config.maxTtlMs, Math.max(config.minTtlMs, answer.ttlMs)) };
  });
  return (host) => cache.addresses(host);
}

/** Far above the size of any real hosts file; lines beyond it are ignored. */
const maxFileBytes = 16 * 1024 * 1024;

async function fileText(path: string): Promise<string> {
  const read = buffer(createReadStream(path, { end: maxFileBytes - 1 }));
  const bytes = await read.catch(() => Buffer.alloc(0)); // optional on some systems
  const whole = bytes.length < maxFileBytes ? bytes : bytes.subarray(0, bytes.lastIndexOf('\n') + 1);
  return whole.toString();
}

async function resolverOf({ nameservers, isTcpOnly }: DnsConfig): Promise<Resolver> {
  const resolver = isTcpOnly ? tcpResolver() : newResolver();
  const servers = await Promise.all(nameservers.map(serverText));
  if (servers.length > 0) resolver.setServers(servers);
  return resolver;
}

/** Timeout and number of tries are Realm's. */
function newResolver(): Resolver {
  return new Resolver({ timeout: 5000, tries: 2 });
}

/** Node.js has no option for TCP, but c-ares, its resolver library, reads this variable when it is initialised. */
function tcpResolver(): Resolver {
  const before = process.env['RES_OPTIONS'];
  process.env['RES_OPTIONS'] = `${before ?? ''} use-vc`;
  try {
    return newResolver();
  } finally {
    if (before === undefined) delete process.env['RES_OPTIONS'];
    else process.env['RES_OPTIONS'] = before;
  }
}

async function serverText(server: SocketAddress): Promise<string> {
  if (server.ip !== undefined) return socketAddressText(server);
  const [address = ''] = await systemAddresses(server.host);
  const ip = parseIpAddress(address);
  return `${ip === undefined ? address : hostText(ip)}:${String(server.port)}`;
}

async function firstAnswer(resolver: Resolver, names: readonly string[], mode: DnsMode): Promise<Answer> {
  let failed: Error | undefined;
  for (const name of names) {
    for (const group of groupsOf[mode]) {
      const results = await Promise.all(group.map((family) => query(resolver, name, family)));
      const addresses = results.flatMap((each) => ('addresses' in each ? each.addresses : []));
      const ttlMs = Math.min(...results.map((each) => ('addresses' in each ? each.ttlMs : Infinity)));
      if (addresses.length > 0) return { addresses, ttlMs };
      failed = mostSignificant([
        failed,
        ...results.map((each) => ('error' in each ? each.error : undefined)),
      ]);
    }
  }
  throw failed ?? new Error('the host name is empty');
}

async function query(
  resolver: Resolver,
  name: string,
  family: IpFamily,
): Promise<Answer | { readonly error: Error }> {
  const options = { ttl: true } as const;
  try {
    const records = await (family === 'IPv4'
      ? resolver.resolve4(name, options)
      : resolver.resolve6(name, options));
    const ttlMs = Math.min(...records.map(({ ttl }) => ttl)) * 1000;
    return { addresses: records.map(({ address }) => address), ttlMs };
  } catch (error) {
    return { error: asError(error) };
  }
}

/** Prefers the error of a server that does not answer to that of a name that does not exist. */
function mostSignificant(errors: readonly (Error | undefined)[]): Error | undefined {
  const failures = errors.filter((error) => error !== undefined);
  return failures.find((error) => !['ENOTFOUND', 'ENODATA'].includes(errorCode(error))) ?? failures[0];
}
