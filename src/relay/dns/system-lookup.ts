import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Clock } from '../../lib/clock.ts';
import { AnswerCache } from './answer-cache.ts';
import { inDestinationOrder, parsePolicies, type PolicyTable } from './destination-order.ts';
import { Getent } from './getent.ts';
import { HostsFile } from './hosts-file.ts';
import { isLocalhost, loopbackAddresses } from '../../lib/localhost.ts';
import type { Lookup } from './lookup.ts';
import { NameError, notFound } from './name-error.ts';
import { NameQueries } from './name-queries.ts';
import type { FamilyGroup } from './name-query.ts';
import { hostServices, type HostService, type HostStatus } from './nsswitch.ts';
import { parseResolvConf, searchNames, type ResolvConf } from './resolv-conf.ts';
import { ServerGroup } from './server-group.ts';
import { WatchedText } from './watched-text.ts';

/** Where the system keeps what rules its lookups. */
export type SystemSettings = {
  readonly hosts: string;
  readonly resolvConf: string;
  readonly nsswitch: string;
  readonly gaiConf: string;
  /** The socket of systemd-resolved. */
  readonly resolved: string;
  /** The command getent(1). */
  readonly getent: string;
  /** Port of the name servers in `resolvConf`. */
  readonly dnsPort: number;
};

/** The settings of the machine. */
export const machineSettings: SystemSettings = {
  hosts: '/etc/hosts',
  resolvConf: '/etc/resolv.conf',
  nsswitch: '/etc/nsswitch.conf',
  gaiConf: '/etc/gai.conf',
  resolved: '/run/systemd/resolve/io.systemd.Resolve',
  getent: 'getent',
  dnsPort: 53,
};

/** What a lookup by the system's rules works with. */
export type SystemLookupContext = {
  readonly clock: Clock;
  readonly settings: SystemSettings;
  /** See `AnswerCacheOptions`. */
  readonly onStale: (name: string, error: Error) => void;
};

const limits = { cacheSize: 4096, minTtlMs: 0, maxTtlMs: 86_400_000 };
const bothFamilies: readonly FamilyGroup[] = [['IPv6', 'IPv4']];

/** What a service of nsswitch.conf found, or which outcome it had. */
type Outcome =
  { readonly addresses: readonly string[] } | { readonly status: HostStatus; readonly error?: NameError };

/**
 * Looks names up as the C library of the system does, by the same files, which are read again when they change; but
 * without its threads. Services other than `files` and `dns` are asked by getent(1), for the names that they may know.
 */
export class SystemLookup {
  readonly #context: SystemLookupContext;
  readonly #hosts: HostsFile;
  readonly #services: WatchedText<readonly HostService[]>;
  readonly #resolvConf: WatchedText<ResolvConf>;
  readonly #policies: WatchedText<PolicyTable>;
  readonly #delegated: AnswerCache;
  /** The queries of the resolv.conf that was read last. */
  #queries: { readonly conf: ResolvConf; readonly queries: NameQueries } | undefined;

  constructor(context: SystemLookupContext) {
    const { settings, clock, onStale } = context;
    this.#context = context;
    this.#hosts = new HostsFile(settings.hosts);
    this.#services = new WatchedText(settings.nsswitch, hostServices);
    this.#resolvConf = new WatchedText(settings.resolvConf, (text) => parseResolvConf(text, process.env));
    this.#policies = new WatchedText(settings.gaiConf, parsePolicies);
    const getent = new Getent(settings.getent);
    const query = getent.addresses.bind(getent);
    this.#delegated = new AnswerCache({ size: limits.cacheSize, clock, onStale, query });
  }

  /** What the resolv.conf holds at the moment. */
  get resolvConf(): ResolvConf {
    return this.#resolvConf.value;
  }

  /** The addresses of `name` in the hosts file. */
  inHostsFile(name: string): readonly string[] {
    return this.#hosts.addresses(name);
  }

  readonly lookup: Lookup = async (name, signal) => {
    if (isLocalhost(name)) {
      const listed = this.inHostsFile(name);
      return this.#inOrder(listed.length > 0 ? listed : loopbackAddresses);
    }
    let failure: NameError | undefined;
    for (const service of this.#services.value) {
      const outcome = await this.#ask(service.name, name, signal);
      if ('addresses' in outcome) return outcome.addresses;
      failure = outcome.error ?? failure;
      if (service.returnsOn.has(outcome.status)) break;
    }
    throw failure ?? notFound(name, undefined);
  };

  /** Whether `service` can be asked without the C library is decided name by name. */
  async #ask(service: string, name: string, signal?: AbortSignal): Promise<Outcome> {
    if (service === 'files') {
      const addresses = this.inHostsFile(name);
      return addresses.length > 0 ? { addresses: await this.#inOrder(addresses) } : { status: 'notfound' };
    }
    if (service === 'dns' || (service === 'resolve' && this.#isResolvedAsked()))
      return outcomeOf(this.#currentQueries().addresses(name, signal));
    const status = this.#statusWithout(service, name);
    return status === undefined ? outcomeOf(this.#delegated.addresses(name, signal)) : { status };
  }

  /** Whether the name servers are systemd-resolved, whose answers are those of its service. */
  #isResolvedAsked(): boolean {
    return this.resolvConf.nameservers.every((server) => /^127\.0\.0\.5[34]$/.test(server));
  }

  /** The outcome of a service that has to do with other names, or does not run; undefined = it has to be asked. */
  #statusWithout(service: string, name: string): HostStatus | undefined {
    if (/^mdns[46]?(?:_minimal)?$/.test(service) && !/\.local\.?$/.test(name)) return 'unavail';
    if (service === 'myhostname' && ![hostname().toLowerCase(), '_gateway', '_outbound'].includes(name))
      return 'notfound';
    return service === 'resolve' && !existsSync(this.#context.settings.resolved) ? 'unavail' : undefined;
  }

  /** Another resolv.conf begins with an empty cache. */
  #currentQueries(): NameQueries {
    const conf = this.resolvConf;
    if (this.#queries?.conf !== conf) this.#queries = { conf, queries: this.#newQueries(conf) };
    return this.#queries.queries;
  }

  #newQueries(conf: ResolvConf): NameQueries {
    const { clock, settings, onStale } = this.#context;
    const addresses = conf.nameservers.map((host) => ({ host, port: settings.dnsPort }));
    const servers = new ServerGroup(addresses, conf, clock);
    return new NameQueries({
      clock,
      servers: () => servers,
      names: (host) => searchNames(host, conf),
      groups: conf.isIpv4Only ? [['IPv4']] : bothFamilies,
      limits,
      order: (found) => this.#inOrder(found),
      onStale,
    });
  }

  #inOrder(addresses: readonly string[]): Promise<readonly string[]> {
    return inDestinationOrder(addresses, this.#policies.value);
  }
}

async function outcomeOf(lookup: Promise<readonly string[]>): Promise<Outcome> {
  try {
    return { addresses: await lookup };
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    return { status: error.code === 'EAI_AGAIN' ? 'tryagain' : 'notfound', error };
  }
}
