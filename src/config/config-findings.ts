import type { WrittenAs } from '../api/port-conflicts.ts';
import { relayLoops, type OwnNames } from '../api/relay-loops.ts';
import type { SocketAddress } from './address.ts';
import { zoneProblems } from './link-local.ts';
import { listenConflicts } from './listen-conflicts.ts';
import { portsOf } from './port-config.ts';
import type { EndpointConfig } from './relay-config.ts';

/** Where a relay runs, as far as that decides whether its configuration works there. */
export type Surroundings = {
  /** Addresses and names of the machine. */
  readonly own: OwnNames;
  /** Where the admin server listens, which is bound before any endpoint; undefined = there is none. */
  readonly admin: SocketAddress | undefined;
  /** What the user wrote, whose keys the remedies name. */
  readonly writtenAs: WrittenAs;
};

/** What is wrong with endpoints that are each valid on their own: one sentence each, with the remedy. */
export type ConfigFindings = { readonly problems: readonly string[]; readonly warnings: readonly string[] };

/**
 * What the endpoints of a relay cannot do: share a port, relay to each other in a circle, or use a link-local address without
 * its zone. A relay runs nevertheless, since its other endpoints work; `--check` fails.
 */
export function configFindings(
  endpoints: readonly EndpointConfig[],
  { own, admin, writtenAs }: Surroundings,
): ConfigFindings {
  const loops = loopFindings(endpoints, own);
  return {
    ...loops,
    problems: [
      ...zoneProblems(endpoints),
      ...listenConflicts(endpoints, admin, writtenAs),
      ...loops.problems,
    ],
  };
}

/** The loops among these, which no failed bind reports. */
export function loopFindings(endpoints: readonly EndpointConfig[], own: OwnNames): ConfigFindings {
  const loops = relayLoops(
    endpoints.map((endpoint) => ({
      name: endpoint.name,
      network: endpoint.network,
      ports: portsOf(endpoint),
    })),
    own,
  );
  const { problems = [], warnings = [] } = Object.groupBy(loops, ({ isCertain }) =>
    isCertain ? 'problems' : 'warnings',
  );
  return {
    problems: problems.map(({ message }) => message),
    warnings: warnings.map(({ message }) => message),
  };
}
