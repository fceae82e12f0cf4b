import type { Findings } from '../lib/document-rules.ts';
import type { Path, Problem } from '../lib/problem.ts';
import { socketAddressText, type SocketAddress } from './address.ts';
import { parseBalance } from './balance.ts';
import { healthCheckKeys } from './health-check-keys.ts';
import { settingsOf } from './key-table.ts';
import { endpointNetwork, type EndpointNetwork } from './network-keys.ts';
import type { RealmNetwork } from './realm-document.ts';
import type { ReadEndpoint } from './realm-rules.ts';
import type { EndpointConfig } from './relay-config.ts';

/** The tables beside that of an endpoint itself. */
export type SharedNetworks = {
  /** Stands below that of the endpoint. */
  readonly global: RealmNetwork;
  /** Stands above all. */
  readonly overrides: RealmNetwork;
};

/** An endpoint whose name is not settled yet, and where to tell of it. */
export type UnnamedEndpoint = {
  readonly name: string | undefined;
  /** The endpoint of which it is one more port. */
  readonly rangeOf: string | undefined;
  readonly endpoint: Omit<EndpointConfig, 'name'>;
  readonly path: Path;
  readonly findings: Findings;
};

/**
 * What the endpoint at `path` asks for, defaults applied.
 *
 * @returns undefined where it is not valid, told in `findings`.
 */
export function endpointConfig(
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
    network: own,
  }: ReadEndpoint,
  { global, overrides }: SharedNetworks,
  path: Path,
  findings: Findings,
): UnnamedEndpoint | undefined {
  if (listen === undefined || remote === undefined) return undefined; // told by the rules
  const remotes = [remote, ...extra];
  const network = endpointNetwork({ ...global, ...own, ...overrides });
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
    ...(check && { healthCheck: settingsOf(healthCheckKeys, check) }),
    ...(listenTransport && { listenTransport }),
    ...(remoteTransport && { remoteTransport }),
  };
  return { name, rangeOf, endpoint: chosen, path, findings };
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
  const what = 'is checked against the PROXY header, which any client can forge';
  const remedy = 'list the trusted senders in accept_proxy_trusted';
  return [{ path: [...path, 'network', 'allowed_sources'], what, remedy }];
}
