import type { IpFamily } from '../lib/ip-address.ts';
import type { Path, Problem } from '../lib/problem.ts';
import { commonMetadataProblems, commonMetadataWarnings } from './common-metadata-rules.ts';
import { loopProblems, loopWarnings } from './loop-rules.ts';
import { podTemplateProblems, podTemplateWarnings } from './pod-template-rules.ts';
import { boundFamilies, canBind, type BindAddress, type PortConflict } from './port-conflicts.ts';
import { maxPortRemotes, portPairs, portRemotes } from './port-limits.ts';
import type { Endpoint, Relay } from './relay.ts';
import { maxListeningPorts, maxServicePorts } from './schema/endpoint.ts';
import { workloadProblems, workloadWarnings } from './workload-rules.ts';
import { serviceFieldProblems, serviceFieldWarnings } from './service-rules.ts';

/** Problems of `relay` in which each field is valid on its own. Port conflicts are not included. */
export function relayProblems(relay: Relay): Problem[] {
  return [
    ...doubledNames(relay.endpoints),
    ...relay.endpoints.flatMap(endpointProblems),
    ...portProblems(relay),
    ...serviceProblems(relay),
    ...serviceFieldProblems(relay),
    ...podTemplateProblems(relay),
    ...commonMetadataProblems(relay),
    ...workloadProblems(relay),
    ...loopProblems(relay),
  ];
}

/** Settings of `relay` that are valid but probably a mistake. */
export function relayWarnings(relay: Relay): Problem[] {
  return [
    ...familyWarnings(relay),
    ...serviceFieldWarnings(relay),
    ...podTemplateWarnings(relay),
    ...commonMetadataWarnings(relay),
    ...workloadWarnings(relay),
    ...loopWarnings(relay),
    ...relay.endpoints.flatMap(tcpWarnings),
    ...relay.endpoints.flatMap(udpWarnings),
    ...relay.endpoints.flatMap(fixedPortWarnings),
  ];
}

function fixedPortWarnings({ name, listen, remotes }: Endpoint, index: number): Problem[] {
  if (listen.endPort !== undefined) return [];
  return remotes.flatMap(({ fixedPort }, remote) =>
    fixedPort
      ? [
          {
            path: ['spec', 'endpoints', index, 'remotes', remote, 'fixedPort'],
            what: `has no effect: endpoint "${name}" has one port`,
            remedy: 'remove it, or set listen.endPort',
          },
        ]
      : [],
  );
}

const ofTcp = ['listenTransport', 'remoteTransport'] as const;

function tcpWarnings(endpoint: Endpoint, index: number): Problem[] {
  if (endpoint.network.tcp) return [];
  return ofTcp
    .filter((field) => endpoint[field] !== undefined)
    .map((field) => ({
      path: ['spec', 'endpoints', index, field],
      what: `of endpoint "${endpoint.name}" has no effect: it is for TCP, which the endpoint does not relay`,
      remedy: 'remove it, or set tcp to true',
    }));
}

/** What has no effect without UDP, or on UDP. */
function udpWarnings(endpoint: Endpoint, index: number): Problem[] {
  const path = ['spec', 'endpoints', index];
  const { name, network, healthCheck } = endpoint;
  if (network.udp) return udpProxyWarnings(endpoint, path);
  if (healthCheck?.udp === undefined) return [];
  const what = `of endpoint "${name}" has no effect: it does not relay UDP`;
  return [{ path: [...path, 'healthCheck', 'udp'], what, remedy: 'remove it, or set network.udp to true' }];
}

/** What PROXY headers do not do for UDP. */
function udpProxyWarnings({ name, network: { sendProxy, acceptProxy } }: Endpoint, path: Path): Problem[] {
  const unsent = {
    path: [...path, 'network', 'sendProxy'],
    what: `of endpoint "${name}" has no effect on UDP, whose datagrams get no PROXY header`,
    remedy: 'set sendProxy.udp to true, or relay UDP with an endpoint of its own',
  };
  const disabled = {
    path: [...path, 'network', 'sendProxy', 'udp'],
    what: `of endpoint "${name}" has no effect, because sendProxy is not enabled`,
    remedy: 'set sendProxy.enabled to true, or remove it',
  };
  const unread = {
    path: [...path, 'network', 'acceptProxy'],
    what: `of endpoint "${name}" has no effect on UDP, whose datagrams are relayed with whatever they begin with`,
    remedy: 'relay UDP with an endpoint of its own, without acceptProxy',
  };
  return [
    ...(sendProxy.enabled && !sendProxy.udp ? [unsent] : []),
    ...(sendProxy.udp && !sendProxy.enabled ? [disabled] : []),
    ...(acceptProxy.enabled ? [unread] : []),
  ];
}

function familyWarnings(relay: Relay): Problem[] {
  const families = new Set(endpointFamilies(relay));
  const { ipFamilies, ipFamilyPolicy } = relay.service;
  const unserved = (ipFamilies ?? []).filter((family) => !families.has(family));
  const warnings = unserved.map((family) => ({
    path: ['spec', 'service', 'ipFamilies'],
    what: `names ${family}, which no endpoint listens on`,
    value: ipFamilies,
    remedy: `remove ${family}, or add an endpoint that listens on it`,
  }));
  const isForBoth = ipFamilyPolicy === 'RequireDualStack' || ipFamilyPolicy === 'PreferDualStack';
  if (!isForBoth || families.size === 2 || unserved.length > 0) return warnings;
  return [
    ...warnings,
    {
      path: ['spec', 'service', 'ipFamilyPolicy'],
      what: 'asks for both families, and the endpoints listen on one',
      value: ipFamilyPolicy,
      remedy: 'remove it, or add an endpoint that listens on the other family',
    },
  ];
}

/** `conflict` as a problem of the later one of its two endpoints. */
export function conflictProblem(
  { endpoints }: Relay,
  { endpoints: names, what, remedy }: PortConflict,
): Problem {
  const index = endpoints.findLastIndex(({ name }) => names.includes(name));
  return { path: ['spec', 'endpoints', index, 'listen'], what, remedy };
}

/** The families that the endpoints of `relay` serve, IPv4 first. */
export function endpointFamilies({ endpoints }: Relay): IpFamily[] {
  const families = endpoints.flatMap((endpoint) => boundFamilies(boundAddress(endpoint)));
  return (['IPv4', 'IPv6'] as const).filter((family) => families.includes(family));
}

function doubledNames(endpoints: readonly Endpoint[]): Problem[] {
  return endpoints.flatMap(({ name }, index) =>
    endpoints.findIndex((other) => other.name === name) === index
      ? []
      : [
          {
            path: ['spec', 'endpoints', index, 'name'],
            what: 'is the name of another endpoint, too',
            value: name,
            remedy: 'give each endpoint a name of its own',
          },
        ],
  );
}

function endpointProblems(endpoint: Endpoint, index: number): Problem[] {
  const path = ['spec', 'endpoints', index];
  const { network } = endpoint;
  const problems: Problem[] = [];
  if (!network.tcp && !network.udp) {
    problems.push({
      path: [...path, 'network'],
      what: `leaves endpoint "${endpoint.name}" without a protocol`,
      value: { tcp: false, udp: false },
      remedy: 'set tcp or udp to true',
    });
  }
  if (!canBind(boundAddress(endpoint))) {
    problems.push({
      path: [...path, 'listen', 'address'],
      what: `of endpoint "${endpoint.name}" is an IPv4 address, which ipv6Only: true excludes`,
      value: endpoint.listen.address.text,
      remedy: `set ipv6Only: false on it, or listen on ${endpoint.listen.address.mapped ?? ''}`,
    });
  }
  problems.push(...sniProblems(endpoint, path));
  if (network.udp && isUdpVersion1(network)) {
    problems.push({
      path: [...path, 'network', 'sendProxy', 'version'],
      what: `of endpoint "${endpoint.name}" is a version of the PROXY protocol that cannot state UDP clients`,
      value: 1,
      remedy: 'set version to 2, or sendProxy.udp to false',
    });
  }
  return problems;
}

function sniProblems({ name, sni, network, listenTransport }: Endpoint, path: Path): Problem[] {
  if (sni === undefined) return [];
  const problems: Problem[] = [];
  if (network.udp) {
    const what = `of endpoint "${name}" is for TLS over TCP, and the endpoint relays ${network.tcp ? 'UDP, too' : 'UDP'}`;
    const remedy = 'set tcp to true and udp to false, and relay UDP with an endpoint of its own';
    problems.push({ path: [...path, 'sni'], what, remedy });
  }
  if (listenTransport !== undefined && listenTransport.tls === undefined) {
    const what = `of endpoint "${name}" is for clients of TLS, and listenTransport has no tls`;
    problems.push({ path: [...path, 'sni'], what, remedy: 'set listenTransport.tls, or remove sni' });
  }
  return problems;
}

/** PROXY protocol, section 2.1: version 1 has TCP4, TCP6 and UNKNOWN. */
function isUdpVersion1({ sendProxy }: Endpoint['network']): boolean {
  return sendProxy.enabled && sendProxy.udp && sendProxy.version === 1;
}

/** Limits of all endpoints together: what a Service can have, and the sockets and the memory of a Pod. */
function portProblems({ endpoints, service }: Relay): Problem[] {
  const path = ['spec', 'endpoints'];
  const [ports, remotes] = [portPairs(endpoints), portRemotes(endpoints)];
  const [max, suffix, ofPorts] = service.enabled
    ? [maxServicePorts, ' with a Service', withoutService]
    : [maxListeningPorts, '', smaller];
  return [
    ...(ports > max
      ? [
          {
            path,
            what: `${countText(ports, 'ports, TCP and UDP counted apart', max)}${suffix}`,
            remedy: ofPorts,
          },
        ]
      : []),
    ...(remotes > maxPortRemotes
      ? [{ path, what: countText(remotes, 'remotes, counted at each port', maxPortRemotes), remedy: smaller }]
      : []),
  ];
}

const withoutService =
  'set service.enabled: false and workload.hostNetwork: true, or use several RealmRelays of up to 512 ports, each with its Service';
const smaller = 'use smaller ranges, or a second RealmRelay';

function countText(count: number, what: string, max: number): string {
  return `have ${String(count)} ${what}, and may have ${String(max)}`;
}

function serviceProblems(relay: Relay): Problem[] {
  const { ipFamilies, ipFamilyPolicy } = relay.service;
  if (ipFamilies === undefined) return [];
  const path = ['spec', 'service', 'ipFamilies'];
  const bound = endpointFamilies(relay);
  const problems: Problem[] = [];
  if (!ipFamilies.some((family) => bound.includes(family))) {
    problems.push({
      path,
      what: 'names no family that an endpoint listens on',
      value: ipFamilies,
      remedy: `use [${bound.join(', ')}], or change the endpoints' addresses or ipv6Only`,
    });
  }
  if (ipFamilies.length === 2 && ipFamilyPolicy === 'SingleStack') {
    problems.push({
      path,
      what: 'names two families, and ipFamilyPolicy is SingleStack',
      value: ipFamilies,
      remedy: 'name one family, or use PreferDualStack or RequireDualStack',
    });
  }
  return problems;
}

function boundAddress({ listen, network }: Endpoint): BindAddress {
  return { address: listen.address, ipv6Only: network.ipv6Only };
}
