import type { Findings } from '../lib/document-rules.ts';
import type { Path, Problem } from '../lib/problem.ts';
import { present } from '../lib/record.ts';
import { socketAddressText, type SocketAddress } from './address.ts';
import { sniProblems } from './sni-rule.ts';
import { checkBackends } from './backends.ts';
import { parseBalance } from './balance.ts';
import { furtherPorts } from './further-ports.ts';
import { healthCheckConfig, type HealthCheckConfig } from './health-check-keys.ts';
import { endpointNetwork, type EndpointNetwork } from './network-keys.ts';
import type { RealmNetwork } from './realm-document.ts';
import type { ReadEndpoint } from './realm-rules.ts';
import type { EndpointConfig } from './relay-config.ts';

/** The network tables that apply besides an endpoint's own. */
export type SharedNetworks = {
  /** Applies if the endpoint does not set a key. */
  readonly global: RealmNetwork;
  /** Overrides both. */
  readonly overrides: RealmNetwork;
  /** What was made of them so far, by the JSON of what is written: thousands of endpoints may have the same settings. */
  readonly known: Map<string, EndpointNetwork>;
};

/** An endpoint whose name is not final yet, with the path and the findings for its problems. */
export type UnnamedEndpoint = {
  readonly name: string | undefined;
  /** The endpoint that this one adds a port to. */
  readonly rangeOf: string | undefined;
  readonly endpoint: Omit<EndpointConfig, 'name'>;
  readonly path: Path;
  readonly findings: Findings;
};

function networkOf(written: RealmNetwork, known: SharedNetworks['known']): EndpointNetwork {
  const key = JSON.stringify(written);
  const network = known.get(key) ?? endpointNetwork(written);
  known.set(key, network);
  return network;
}

/**
 * The endpoint at `path` with defaults applied.
 *
 * @returns undefined if it is not valid, which `findings` reports.
 */
export function endpointConfig(
  {
    name,
    range_of: rangeOf,
    listen,
    sni,
    remote,
    extra_remotes: extra = [],
    balance,
    strategy,
    backends,
    health_check: check,
    listen_transport: listenTransport,
    remote_transport: remoteTransport,
    network: own,
    ...rest
  }: ReadEndpoint,
  { global, overrides, known }: SharedNetworks,
  path: Path,
  findings: Findings,
): UnnamedEndpoint | undefined {
  if (listen === undefined || remote === undefined) return undefined; // reported by the rules
  const remotes = [remote, ...extra];
  const written = { ...global, ...own, ...overrides };
  const network = networkOf(written, known);
  findings.problems.push(...networkProblems(listen, network, path), ...valueProblems(network, written, path));
  findings.problems.push(...sniProblems({ sni, network, listenTransport }, path));
  const healthCheck = check && healthCheckConfig(check);
  findings.warnings.push(...networkWarnings({ network, written, healthCheck, rangeOf }, path));
  const further = furtherPorts({ listen, remotes }, { ...rest, range_of: rangeOf }, path, findings);
  checkBackends(backends, remotes.length, [...path, 'backends'], findings);
  const parsed = parseBalance(balance, remotes.length, [...path, 'balance'], findings);
  if (parsed === undefined) return undefined;
  const chosen = {
    listen,
    remotes,
    ...present('sni', sni),
    ...(further.length > 0 && { range: further }),
    balance: { ...parsed, ...(strategy && { strategy }) },
    ...present('backends', backends),
    network,
    ...waysOf(rest),
    ...present('healthCheck', healthCheck),
    ...(listenTransport && { listenTransport }),
    ...(remoteTransport && { remoteTransport }),
  };
  return { name, rangeOf, endpoint: chosen, path, findings };
}

/** Where it dials from, and the interfaces that it uses. */
function waysOf({ through, interface: dialDevice, listen_interface: listenDevice }: ReadEndpoint) {
  return {
    ...present('through', through),
    ...present('dialDevice', dialDevice),
    ...present('listenDevice', listenDevice),
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
  if (network.udp && network.sendProxyUdp !== undefined && network.sendProxyVersion === 1) {
    // PROXY protocol, section 2.1: version 1 has TCP4, TCP6 and UNKNOWN.
    const what = 'is a version of the PROXY protocol that cannot state UDP clients';
    const remedy = 'set it to 2, or send_proxy_udp to false';
    problems.push({ path: [...path, 'network', 'send_proxy_version'], what, value: 1, remedy });
  }
  return problems;
}

/** Numbers that Realm takes, and that do harm unless another key makes them have no effect. */
function valueProblems(network: EndpointNetwork, written: RealmNetwork, path: Path): Problem[] {
  const problems: Problem[] = [];
  const { send_proxy_version: version = 2, tcp_keepalive_probe: probes } = written;
  if (network.sendProxyVersion !== undefined && version !== network.sendProxyVersion) {
    const what = 'is no version of the PROXY protocol';
    const at = [...path, 'network', 'send_proxy_version'];
    problems.push({ path: at, what, value: version, remedy: 'set it to 1 or 2' });
  }
  if (network.tcp && network.tcpKeepaliveMs > 0 && probes === 0) {
    // Linux: TCP_KEEPCNT is at least 1.
    const what = 'is out of range';
    const remedy = 'give a whole number from 1 to 127, or set tcp_keepalive to 0';
    problems.push({ path: [...path, 'network', 'tcp_keepalive_probe'], what, value: probes, remedy });
  }
  return problems;
}

type Networking = {
  readonly network: EndpointNetwork;
  /** The settings without defaults. */
  readonly written: RealmNetwork;
  readonly healthCheck: HealthCheckConfig | undefined;
  readonly rangeOf: string | undefined;
};

/** A range is reported once, at its first port. */
function networkWarnings({ network, written, healthCheck, rangeOf }: Networking, path: Path): Problem[] {
  if (rangeOf !== undefined) return [];
  return [
    ...claimWarnings(network, path),
    ...datagramWarnings(network, path),
    ...unsentWarnings(written, path),
    ...uncheckedWarnings(network, healthCheck, path),
  ];
}

function uncheckedWarnings(
  { udp }: EndpointNetwork,
  check: HealthCheckConfig | undefined,
  path: Path,
): Problem[] {
  if (check?.udp === undefined || udp) return [];
  const what = 'has no effect: the endpoint does not relay UDP';
  return [{ path: [...path, 'health_check', 'udp'], what, remedy: 'remove it, or set use_udp to true' }];
}

/** With UDP alone there is no PROXY header to forge. */
function claimWarnings({ tcp, allowedSources, acceptProxy }: EndpointNetwork, path: Path): Problem[] {
  if (!tcp || allowedSources.length === 0 || acceptProxy?.trustedSources.length !== 0) return [];
  const what = 'is checked against the PROXY header, which any client can forge';
  const remedy = 'list the trusted senders in accept_proxy_trusted';
  return [{ path: [...path, 'network', 'allowed_sources'], what, remedy }];
}

/** Headers for datagrams that are not sent, because none are. */
function unsentWarnings(
  { use_udp: udp, send_proxy: sends, send_proxy_udp: sendsUdp }: RealmNetwork,
  path: Path,
): Problem[] {
  if (udp !== true || sendsUdp !== true || sends === true) return [];
  const what = 'has no effect without send_proxy';
  return [
    { path: [...path, 'network', 'send_proxy_udp'], what, remedy: 'set send_proxy to true, or remove it' },
  ];
}

/** What PROXY headers do not do for UDP. */
function datagramWarnings(
  { udp, sendProxyVersion, sendProxyUdp, acceptProxy }: EndpointNetwork,
  path: Path,
): Problem[] {
  if (!udp) return [];
  const at = (key: string): Path => [...path, 'network', key];
  const unsent = {
    path: at('send_proxy'),
    what: 'has no effect on UDP, whose datagrams get no PROXY header',
    remedy: 'set send_proxy_udp to true, or relay UDP with an endpoint of its own',
  };
  const unread = {
    path: at('accept_proxy'),
    what: 'has no effect on UDP, whose datagrams are relayed with whatever they begin with',
    remedy: 'relay UDP with an endpoint of its own, without accept_proxy',
  };
  return [
    ...(sendProxyVersion !== undefined && sendProxyUdp === undefined ? [unsent] : []),
    ...(acceptProxy === undefined ? [] : [unread]),
  ];
}
