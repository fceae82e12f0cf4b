import { asError } from '../lib/errors.ts';
import type { Findings } from '../lib/document-rules.ts';
import type { LogLevel } from '../lib/log-level.ts';
import type { Path, Problem } from '../lib/problem.ts';
import { socketAddressText, type SocketAddress } from './address.ts';
import { parseBalance, type Balance } from './balance.ts';
import { ConfigError } from './config-error.ts';
import type { RealmNetwork } from './realm-document.ts';
import { documentRule, type ReadEndpoint, type ReadNetwork } from './realm-rules.ts';

/** What the relay runs: parsed, every default applied, in milliseconds. */
export type RelayConfig = {
  readonly log: { readonly level: LogLevel };
  /** In the order in which they are bound: of two that conflict the first one wins. Names are unique. */
  readonly endpoints: readonly EndpointConfig[];
};

/** One listen address and its remotes. */
export type EndpointConfig = {
  /** What status, log and metrics call it. */
  readonly name: string;
  readonly listen: SocketAddress;
  /** At least one; the order in which `balance: off` tries them. */
  readonly remotes: readonly SocketAddress[];
  readonly balance: Balance;
  readonly network: EndpointNetwork;
  /** IP address to dial from; absent = the system's choice. */
  readonly through?: string;
  /** How its remotes are checked by TCP; absent = not. */
  readonly healthCheck?: HealthCheck;
};

/** Checks of remotes by a TCP connect. */
export type HealthCheck = {
  readonly intervalMs: number;
  /** Limit of a name lookup, and of a connect. */
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
};

/** A configuration and what in its source was ignored and probably not meant to be. */
export type ParsedConfig = { readonly config: RelayConfig; readonly warnings: readonly Problem[] };

/** What the command line says; it stands above every value of the file. */
export type Overrides = { readonly level?: LogLevel; readonly network?: RealmNetwork };

/**
 * Parses the text of a configuration file.
 *
 * @param source     the file's path, for messages.
 * @throws ConfigError with every problem at once.
 */
export function parseRelayConfig(text: string, source: string, overrides: Overrides = {}): ParsedConfig {
  return relayConfig(parseJson(text, source), source, overrides);
}

/**
 * The configuration that `document`, shaped like RealmDocument, asks for.
 *
 * @param source  where it comes from, for messages.
 * @throws ConfigError with every problem at once.
 */
export function relayConfig(document: unknown, source: string, overrides: Overrides = {}): ParsedConfig {
  const findings: Findings = { problems: [], warnings: [] };
  const read = documentRule(document, [], findings) ?? {};
  const networks = { global: read.network ?? {}, overrides: overrides.network ?? {} };
  const endpoints = (read.endpoints ?? []).flatMap((endpoint, index) => {
    return endpointConfig(endpoint, networks, ['endpoints', index], findings) ?? [];
  });
  const config = {
    log: { level: overrides.level ?? read.log?.level ?? 'info' },
    endpoints: withUniqueNames(endpoints, findings),
  };
  if (findings.problems.length > 0) throw new ConfigError(source, findings.problems);
  return { config, warnings: findings.warnings };
}

function parseJson(text: string, source: string): unknown {
  if (text.trim() === '') {
    throw new ConfigError(source, [{ path: [], what: 'is empty', remedy: 'add {"endpoints": [...]}' }]);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const remedy = `mend it: ${asError(error).message}`;
    throw new ConfigError(source, [{ path: [], what: 'is not a JSON document', remedy }], { cause: error });
  }
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

type Unnamed = Omit<EndpointConfig, 'name'> & { readonly name: string | undefined };

function endpointConfig(
  {
    name,
    listen,
    remote,
    extra_remotes: extra = [],
    balance,
    strategy,
    health_check: check,
    through,
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
  const parsed = parseBalance(balance, remotes.length, [...path, 'balance'], findings);
  return (
    parsed && {
      name,
      listen,
      remotes,
      balance: { ...parsed, ...(strategy && { strategy }) },
      network,
      ...(through !== undefined && { through }),
      ...healthCheck(check),
    }
  );
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

/** An endpoint without a name is called by its `listen`, and numbered where that is taken. */
function withUniqueNames(endpoints: readonly Unnamed[], findings: Findings): EndpointConfig[] {
  const taken = new Set<string>();
  for (const [index, { name }] of endpoints.entries()) {
    if (name === undefined) continue;
    if (taken.has(name)) {
      const path = ['endpoints', index, 'name'];
      findings.problems.push({ path, what: 'is used twice', value: name, remedy: 'give each its own name' });
    }
    taken.add(name);
  }
  return endpoints.map((endpoint) => {
    const name = endpoint.name ?? freeName(socketAddressText(endpoint.listen), taken);
    taken.add(name);
    return { ...endpoint, name };
  });
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted}#${String(number)}`;
  return name;
}
