import { lastPort, protocols, type ListenPorts, type Protocols } from './port-conflicts.ts';
import { maxListeningPorts } from './schema/endpoint.ts';

/** Maximum number of remotes of a relay, each counted at every port: the relay keeps the address of each in memory. */
export const maxPortRemotes = 65_536;

/** What decides how many ports a relay has, and how many remotes at them. */
export type CountedEndpoint = {
  readonly listen: ListenPorts;
  readonly network: Protocols;
  readonly remotes: readonly unknown[];
};

/** The pairs of port and protocol of `endpoints`. */
export function portPairs(endpoints: readonly CountedEndpoint[]): number {
  return sum(endpoints, (endpoint) => portCount(endpoint) * protocols(endpoint).length);
}

/** The remotes of `endpoints`, each counted at every port. */
export function portRemotes(endpoints: readonly CountedEndpoint[]): number {
  return sum(endpoints, (endpoint) => portCount(endpoint) * endpoint.remotes.length);
}

/** Whether they exceed what any relay may have: rules that go through each port pass them over, since another rejects them. */
export function hasTooManyPorts(endpoints: readonly CountedEndpoint[]): boolean {
  return portPairs(endpoints) > maxListeningPorts || portRemotes(endpoints) > maxPortRemotes;
}

function portCount({ listen }: CountedEndpoint): number {
  return lastPort(listen) - listen.port + 1;
}

function sum(endpoints: readonly CountedEndpoint[], count: (endpoint: CountedEndpoint) => number): number {
  return endpoints.reduce((total, endpoint) => total + count(endpoint), 0);
}
