/**
 * `dns`: turns a host name into IP addresses.
 *
 * Vocabulary. A `Lookup` returns every address of a name, in the order in which to try them. By default it follows the
 * rules of the system, from its files: nsswitch.conf, hosts, resolv.conf, gai.conf. A `[dns]` table replaces them by the
 * hosts file and its own name servers. A query is one question to name servers; their answers are cached for their time
 * to live (TTL). A zone is the interface of a link-local address.
 *
 * Guarantee: a lookup either returns at least one address or rejects with the most significant error; names do not wait
 * for each other, nor for the threads of the process; simultaneous lookups of one name share one query, which ends when
 * nobody waits for it; an answer beyond its TTL is used only while servers fail, for a bounded time.
 */

import { isDeepStrictEqual } from 'node:util';
import type { SocketAddress } from '../../config/address.ts';
import type { DnsConfig, DnsMode } from '../../config/dns-config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { isLocalhost, loopbackAddresses } from '../../lib/localhost.ts';
import type { Lookup } from './lookup.ts';
import type { ServerAddress } from './name-server.ts';
import { NameQueries } from './name-queries.ts';
import { inFamilyOrder, type FamilyGroup } from './name-query.ts';
import { queryDefaults, searchNames, type ResolvConf } from './resolv-conf.ts';
import { ServerGroup } from './server-group.ts';
import { machineSettings, SystemLookup, type SystemSettings } from './system-lookup.ts';

/**
 * The address families of each mode. Those of one group are queried at once; the next group only if one yields
 * nothing.
 */
const groupsOf: Readonly<Record<DnsMode, readonly FamilyGroup[]>> = {
  ipv4_only: [['IPv4']],
  ipv6_only: [['IPv6']],
  ipv4_and_ipv6: [['IPv4', 'IPv6']],
  ipv6_and_ipv4: [['IPv6', 'IPv4']],
  ipv4_then_ipv6: [['IPv4'], ['IPv6']],
  ipv6_then_ipv4: [['IPv6'], ['IPv4']],
};

/** What a resolver works with. */
export type NameResolverOptions = {
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the settings of the system are; by default those of the machine. */
  readonly settings?: SystemSettings;
};

/** Resolves host names: by the rules of the system until a configuration has a `[dns]` table. */
export class NameResolver {
  readonly #clock: Clock;
  readonly #onStale: (name: string, error: Error) => void;
  readonly #dnsPort: number;
  readonly #system: SystemLookup;
  #config: DnsConfig | undefined;
  /** Those of `#config`, with the resolv.conf that was read last. */
  #queries: { readonly conf: ResolvConf; readonly queries: NameQueries } | undefined;

  constructor({ clock, log, settings = machineSettings }: NameResolverOptions) {
    this.#clock = clock;
    this.#dnsPort = settings.dnsPort;
    this.#onStale = (name, err) => {
      log.warn({ name, err }, 'name servers fail, using an answer beyond its time to live');
    };
    this.#system = new SystemLookup({ clock, settings, onStale: this.#onStale });
  }

  /** Resolves names by `config` from now on; undefined = by the rules of the system. An equal `config` keeps the cache. */
  configure(config: DnsConfig | undefined): void {
    if (isDeepStrictEqual(config, this.#config)) return;
    this.#config = config;
    this.#queries = undefined;
  }

  /** Every address of a name, in the order in which to try them; rejects if it has none. */
  readonly lookup: Lookup = async (host, signal) => {
    const name = host.toLowerCase();
    const config = this.#config;
    if (config === undefined) return this.#system.lookup(name, signal);
    const groups = groupsOf[config.mode];
    const listed = inFamilyOrder(this.#system.inHostsFile(name), groups);
    if (listed.length > 0) return listed;
    if (isLocalhost(name)) return inFamilyOrder(loopbackAddresses, groups);
    return this.#currentQueries(config).addresses(name, signal);
  };

  #currentQueries(config: DnsConfig): NameQueries {
    const conf = this.#system.resolvConf;
    if (this.#queries?.conf !== conf) this.#queries = { conf, queries: this.#newQueries(config, conf) };
    return this.#queries.queries;
  }

  #newQueries(config: DnsConfig, conf: ResolvConf): NameQueries {
    let servers: Promise<ServerGroup> | undefined; // created on first use
    return new NameQueries({
      clock: this.#clock,
      servers: () => {
        servers ??= this.#servers(config, conf).catch((error: unknown) => {
          servers = undefined; // the host name of a name server may resolve later
          throw error;
        });
        return servers;
      },
      // Realm does not apply the options of the resolv.conf.
      names: (host) =>
        searchNames(host, { search: config.isSearching ? conf.search : [], ndots: queryDefaults.ndots }),
      groups: groupsOf[config.mode],
      limits: config,
      onStale: this.#onStale,
    });
  }

  async #servers({ nameservers, isTcpOnly }: DnsConfig, conf: ResolvConf): Promise<ServerGroup> {
    const ofSystem = conf.nameservers.map((host) => ({ host, port: this.#dnsPort }));
    const own = await Promise.all(nameservers.map((each) => this.#serverAddress(each)));
    return new ServerGroup(own.length > 0 ? own : ofSystem, { ...queryDefaults, isTcpOnly }, this.#clock);
  }

  async #serverAddress({ host, port, ip }: SocketAddress): Promise<ServerAddress> {
    if (ip !== undefined) return { host, port };
    const [address = ''] = await this.#system.lookup(host.toLowerCase());
    return { host: address, port };
  }
}
