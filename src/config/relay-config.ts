import type { Findings } from '../lib/document-rules.ts';
import type { LogLevel } from '../lib/log-level.ts';
import type { Path, Problem } from '../lib/problem.ts';
import { socketAddressText, type SocketAddress } from './address.ts';
import { parseBalance, type Balance } from './balance.ts';
import { ConfigError, type SourcedProblem } from './config-error.ts';
import { rangeProblem, type PortConfig, type PortRange, type RangeProblem } from './port-config.ts';
import { sourceDocument, type ConfigText, type SourceDocument } from './config-text.ts';
import { dnsConfig, type DnsConfig, type ReadDns } from './dns-config.ts';
import type { RealmNetwork } from './realm-document.ts';
import { documentRule, type ReadEndpoint, type ReadLog, type ReadNetwork } from './realm-rules.ts';
import type { ListenTransport, RemoteTransport } from './transport.ts';

/** What the relay runs: parsed, every default applied, in milliseconds. */
export type RelayConfig = {
  readonly log: LogConfig;
  /** Absent = names are looked up in the system's own way. */
  readonly dns?: DnsConfig;
  /** In the order in which they are bound: of two that conflict the first one wins. Names are unique. */
  readonly endpoints: readonly EndpointConfig[];
};

/** What is logged, and where to. */
export type LogConfig = {
  readonly level: LogLevel;
  /** `stderr` or the path of a file; absent = standard output. Of a configuration that is taken later it has no effect. */
  readonly output?: string;
};

/** One listen address and its remotes. */
export type EndpointConfig = PortConfig &
  PortRange & {
    /** What status, log and metrics call it. */
    readonly name: string;
    readonly balance: Balance;
    readonly network: EndpointNetwork;
    /** Where to dial from, at any port where that is 0; absent = the system's choice. */
    readonly through?: SocketAddress;
    /** How its remotes are checked by TCP; absent = not. */
    readonly healthCheck?: HealthCheck;
    /** TLS and WebSocket towards TCP clients; absent = plain TCP. */
    readonly listenTransport?: ListenTransport;
    /** The same towards TCP remotes. */
    readonly remoteTransport?: RemoteTransport;
  };

/** Checks of remotes by a TCP connect. */
export type HealthCheck = {
  readonly intervalMs: number;
  /** Limit of a check, name lookup included. */
  readonly timeoutMs: number;
  /** Failures in a row after which a remote is tried last. */
  readonly unhealthyThreshold: number;
  /** Successes in a row after which it has its place back. */
  readonly healthyThreshold: number;
};

/** The network settings of one endpoint: its own over the global ones over the defaults, field by field. */
export type EndpointNetwork = {
  readonly tcp: boolean;
  readonly udp: boolean;
  /** IPV6_V6ONLY of its IPv6 listening sockets. */
  readonly ipv6Only: boolean;
  /** Time to connect to a remote, name lookup included; 0 = no limit. */
  readonly tcpTimeoutMs: number;
  /** Idle time after which a UDP association ends; 0 = never. */
  readonly udpTimeoutMs: number;
  /** Idle time before the first keepalive probe, and between probes; 0 = no keepalive. */
  readonly tcpKeepaliveMs: number;
  /** Unanswered probes until a peer counts as dead. */
  readonly tcpKeepaliveProbes: number;
  /** Time without a byte either way after which a TCP connection ends; 0 = never. */
  readonly tcpIdleTimeoutMs: number;
  /** The same while one side has ended; 0 = as `tcpIdleTimeoutMs`. */
  readonly tcpHalfCloseTimeoutMs: number;
  /** TCP connections served at a time; 0 = no limit. */
  readonly maxConnections: number;
  /** TCP clients that wait beyond that; more are reset. */
  readonly maxWaiting: number;
  /** UDP associations at a time; beyond, the one idle for longest ends; 0 = no limit. */
  readonly maxAssociations: number;
  /** Addresses and ranges of the clients that are served; empty = everybody. */
  readonly allowedSources: readonly string[];
  /** Version of the PROXY header towards the remote; absent = none. */
  readonly sendProxyVersion?: 1 | 2;
  /** Present where clients must begin with a PROXY header. */
  readonly acceptProxy?: AcceptProxy;
};

/** How PROXY headers of clients are taken. */
export type AcceptProxy = {
  /** To receive one; 0 = no limit. */
  readonly timeoutMs: number;
  /** Addresses and ranges whose headers are believed; empty = anyone. */
  readonly trustedSources: readonly string[];
};

/** A configuration and what in its sources was ignored and probably not meant to be. */
export type ParsedConfig = {
  readonly config: RelayConfig;
  /** What holds for every endpoint that does not say otherwise. */
  readonly network: EndpointNetwork;
  readonly warnings: readonly SourcedProblem[];
  /** Whether any source was written in the words of Realm before 2.0. */
  readonly isLegacy: boolean;
};

/** What the command line says; it stands above every value of the file. */
export type Overrides = {
  readonly log?: ReadLog;
  readonly dns?: ReadDns;
  readonly network?: RealmNetwork;
};

/**
 * Parses the texts of configuration files, in TOML, JSON or legacy JSON, and merges them: see `mergedConfig`.
 *
 * @throws ConfigError with every problem at once.
 */
export function parseRelayConfig(texts: readonly ConfigText[], overrides: Overrides = {}): ParsedConfig {
  return mergedConfig(texts.map(sourceDocument), overrides);
}

/**
 * The configuration that `document`, shaped like RealmDocument, asks for.
 *
 * @param source  where it comes from, for messages.
 * @throws ConfigError with every problem at once.
 */
export function relayConfig(document: unknown, source: string, overrides: Overrides = {}): ParsedConfig {
  const findings: Findings = { problems: [], warnings: [] };
  return mergedConfig([{ source, document, isLegacy: false, findings }], overrides);
}

/**
 * The one configuration that `sources` ask for together: their endpoints one after the other; of every other
 * key the first source that has it counts, also for the endpoints of the others.
 *
 * @throws ConfigError with every problem at once.
 */
export function mergedConfig(sources: readonly SourceDocument[], overrides: Overrides): ParsedConfig {
  const reads = sources.map(({ source, document, findings }) => {
    const read = document === undefined ? undefined : documentRule(document, [], findings);
    return { source, findings, read: read ?? {} };
  });
  const log = { ...firstOf(reads.map(({ read }) => read.log)), ...overrides.log };
  const networks = {
    global: firstOf(reads.map(({ read }) => read.network)),
    overrides: overrides.network ?? {},
  };
  const endpoints = reads.flatMap(({ read, findings }) =>
    (read.endpoints ?? []).flatMap((endpoint, index) => {
      return endpointConfig(endpoint, networks, ['endpoints', index], findings) ?? [];
    }),
  );
  const dns = dnsConfig(
    { ...firstOf(reads.map(({ read }) => read.dns)), ...overrides.dns },
    reads[0]?.findings ?? { problems: [], warnings: [] },
  );
  const config = { log: logConfig(log), ...(dns && { dns }), endpoints: withRanges(endpoints) };
  const problems = sourced(reads, ({ problems: each }) => each);
  if (problems.length > 0) throw new ConfigError(problems);
  const network = endpointNetwork({ ...defaults, ...networks.global, ...networks.overrides });
  const isLegacy = sources.some((source) => source.isLegacy);
  return { config, network, warnings: sourced(reads, ({ warnings }) => warnings), isLegacy };
}

function logConfig({ level = 'info', output = 'stdout' }: ReadLog): LogConfig {
  return { level, ...(output !== 'stdout' && { output }) };
}

/** Field by field the first of `tables` that has it. */
function firstOf<T extends object>(tables: readonly (T | undefined)[]): Partial<T> {
  return Object.assign({}, ...tables.toReversed()) as Partial<T>;
}

type Read = { readonly source: string; readonly findings: Findings };

function sourced(reads: readonly Read[], of: (findings: Findings) => readonly Problem[]): SourcedProblem[] {
  return reads.flatMap(({ source, findings }) => of(findings).map((problem) => ({ ...problem, source })));
}

function healthCheck(read: ReadEndpoint['health_check']): Pick<EndpointConfig, 'healthCheck'> {
  if (read === undefined) return {};
  return {
    healthCheck: {
      intervalMs: (read.interval ?? 10) * 1000,
      timeoutMs: (read.timeout ?? 2) * 1000,
      unhealthyThreshold: read.unhealthy_threshold ?? 3,
      healthyThreshold: read.healthy_threshold ?? 1,
    },
  };
}

type Networks = { readonly global: ReadNetwork; readonly overrides: RealmNetwork };

/** An endpoint whose name is not settled yet, and where to tell of it. */
type Unnamed = {
  readonly name: string | undefined;
  /** The endpoint of which it is one more port. */
  readonly rangeOf: string | undefined;
  readonly endpoint: Omit<EndpointConfig, 'name'>;
  readonly path: Path;
  readonly findings: Findings;
};

function endpointConfig(
  {
    name,
    range_of: rangeOf,
    listen,
    remote,
    extra_remotes: extra = [],
    balance,
    strategy,
    health_check: check,
    through,
    listen_transport: listenTransport,
    remote_transport: remoteTransport,
    network: own = {},
  }: ReadEndpoint,
  { global, overrides }: Networks,
  path: Path,
  findings: Findings,
): Unnamed | undefined {
  if (listen === undefined || remote === undefined) return undefined; // told by the rules
  const remotes = [remote, ...extra];
  const network = endpointNetwork({ ...defaults, ...global, ...own, ...overrides });
  findings.problems.push(...networkProblems(listen, network, path));
  findings.warnings.push(...networkWarnings(network, rangeOf, path));
  const parsed = parseBalance(balance, remotes.length, [...path, 'balance'], findings);
  if (parsed === undefined) return undefined;
  const chosen = {
    listen,
    remotes,
    balance: { ...parsed, ...(strategy && { strategy }) },
    network,
    ...(through !== undefined && { through }),
    ...healthCheck(check),
    ...(listenTransport && { listenTransport }),
    ...(remoteTransport && { remoteTransport }),
  };
  return { name, rangeOf, endpoint: chosen, path, findings };
}

const defaults: Required<RealmNetwork> = {
  no_tcp: false,
  use_udp: false,
  ipv6_only: false,
  tcp_timeout: 5,
  udp_timeout: 30,
  tcp_keepalive: 15,
  tcp_keepalive_probe: 3,
  tcp_idle_timeout: 0,
  tcp_half_close_timeout: 0,
  max_connections: 0,
  max_waiting: 1024,
  max_associations: 8192,
  allowed_sources: [],
  send_proxy: false,
  send_proxy_version: 2,
  accept_proxy: false,
  accept_proxy_timeout: 5,
  accept_proxy_trusted: [],
};

function endpointNetwork(network: Required<RealmNetwork>): EndpointNetwork {
  return {
    tcp: !network.no_tcp,
    udp: network.use_udp,
    ipv6Only: network.ipv6_only,
    tcpTimeoutMs: network.tcp_timeout * 1000,
    udpTimeoutMs: network.udp_timeout * 1000,
    tcpKeepaliveMs: network.tcp_keepalive * 1000,
    tcpKeepaliveProbes: network.tcp_keepalive_probe,
    tcpIdleTimeoutMs: network.tcp_idle_timeout * 1000,
    tcpHalfCloseTimeoutMs: network.tcp_half_close_timeout * 1000,
    maxConnections: network.max_connections,
    maxWaiting: network.max_waiting,
    maxAssociations: network.max_associations,
    allowedSources: network.allowed_sources,
    ...(network.send_proxy && { sendProxyVersion: network.send_proxy_version === 1 ? 1 : 2 }),
    ...(network.accept_proxy && { acceptProxy: acceptProxy(network) }),
  };
}

function acceptProxy(network: Required<RealmNetwork>): AcceptProxy {
  return {
    timeoutMs: network.accept_proxy_timeout * 1000,
    trustedSources: network.accept_proxy_trusted,
  };
}

function networkProblems(listen: SocketAddress, network: EndpointNetwork, path: Path): Problem[] {
  const problems: Problem[] = [];
  if (!network.tcp && !network.udp) {
    const remedy = 'set use_udp to true, or no_tcp to false';
    problems.push({ path: [...path, 'network'], what: 'switches off both TCP and UDP', remedy });
  }
  if (network.ipv6Only && listen.ip?.mapped !== undefined) {
    const what = 'is an IPv4-mapped address, which cannot be bound with ipv6_only';
    const remedy = `listen on ${listen.ip.mapped}, or set ipv6_only to false`;
    problems.push({ path: [...path, 'listen'], what, value: socketAddressText(listen), remedy });
  }
  return problems;
}

/** Of a range they are those of its first port; with UDP alone nobody is asked for a header. */
function networkWarnings(
  { tcp, allowedSources, acceptProxy }: EndpointNetwork,
  rangeOf: string | undefined,
  path: Path,
): Problem[] {
  const isClaimed = tcp && allowedSources.length > 0 && acceptProxy?.trustedSources.length === 0;
  if (!isClaimed || rangeOf !== undefined) return [];
  const what = 'is held against the PROXY header, in which anybody may claim to be anyone';
  const remedy = 'name in accept_proxy_trusted whose headers are believed';
  return [{ path: [...path, 'network', 'allowed_sources'], what, remedy }];
}

/** The endpoints; those that are one more port of another one become part of it. */
function withRanges(all: readonly Unnamed[]): EndpointConfig[] {
  const endpoints = named(all.filter(({ rangeOf }) => rangeOf === undefined));
  const ports = new Map<string, PortConfig[]>(endpoints.map((endpoint) => [endpoint.name, [endpoint]]));
  for (const { rangeOf, endpoint, path, findings } of all) {
    if (rangeOf === undefined) continue;
    const { listen, remotes } = endpoint;
    const problem = rangeProblem(endpoint, rangeOf, ports.get(rangeOf));
    if (problem === undefined) ports.get(rangeOf)?.push({ listen, remotes });
    else findings.problems.push(toldAt(path, problem));
  }
  return endpoints.map((endpoint) => {
    const range = ports.get(endpoint.name)?.slice(1) ?? [];
    return { ...endpoint, ...(range.length > 0 && { range }) };
  });
}

function toldAt(path: Path, { key, ...problem }: RangeProblem): Problem {
  return { path: [...path, key], ...problem };
}

/** An endpoint without a name is called by its `listen`, and numbered where that is taken. */
function named(endpoints: readonly Unnamed[]): EndpointConfig[] {
  const taken = new Set<string>();
  for (const { name, path, findings } of endpoints) {
    if (name === undefined) continue;
    if (taken.has(name)) findings.problems.push(takenName(name, path));
    taken.add(name);
  }
  return endpoints.map(({ name: own, endpoint }) => {
    const name = own ?? freeName(socketAddressText(endpoint.listen), taken);
    taken.add(name);
    return { name, ...endpoint };
  });
}

function takenName(value: string, path: Path): Problem {
  return { path: [...path, 'name'], what: 'is used twice', value, remedy: 'give each its own name' };
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted}#${String(number)}`;
  return name;
}
