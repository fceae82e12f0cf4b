import type { IpFamily } from '../lib/ip-address.ts';
import type { Problem } from '../lib/problem.ts';
import { boundFamilies, canBind, type BoundAddress, type PortConflict } from './port-conflicts.ts';
import type { Endpoint, Relay } from './relay.ts';

/** What is wrong with `relay` although each field is valid by itself; port conflicts are told apart from it. */
export function relayProblems(relay: Relay): Problem[] {
  return [
    ...doubledNames(relay.endpoints),
    ...relay.endpoints.flatMap(endpointProblems),
    ...serviceProblems(relay),
  ];
}

/** What is valid in `relay` but probably not meant. */
export function relayWarnings(relay: Relay): Problem[] {
  return [...familyWarnings(relay), ...relay.endpoints.flatMap(tcpWarnings)];
}

const ofTcp = ['healthCheck', 'listenTransport', 'remoteTransport'] as const;

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
  if (ipFamilyPolicy !== 'RequireDualStack' || families.size === 2 || ipFamilies !== undefined)
    return warnings;
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
  return problems;
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

function boundAddress({ listen, network }: Endpoint): BoundAddress {
  return { address: listen.address, ipv6Only: network.ipv6Only };
}
