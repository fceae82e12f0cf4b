import { addressFamily, parseIpAddress } from '../lib/ip-address.ts';
import { isLocalhost } from '../lib/localhost.ts';
import { memoize } from '../lib/memoize.ts';
import { portsFrom } from '../lib/port-range.ts';
import { present } from '../lib/record.ts';
import type { Problem } from '../lib/problem.ts';
import { lastPort } from './port-conflicts.ts';
import { hasTooManyPorts } from './port-limits.ts';
import {
  relayLoops,
  type HostPort,
  type LoopEndpoint,
  type OwnNames,
  type RelayLoop,
} from './relay-loops.ts';
import type { Endpoint, Relay } from './relay.ts';

/** Endpoints of `relay` that are certain to be their own remotes, over the name of its Service, too. */
export function loopProblems(relay: Relay): Problem[] {
  return loopsThatAre(true, relay);
}

/** Endpoints of `relay` that may be their own remotes. */
export function loopWarnings(relay: Relay): Problem[] {
  return loopsThatAre(false, relay);
}

function loopsThatAre(certain: boolean, relay: Relay): Problem[] {
  return loopsOf(relay)
    .filter(({ isCertain }) => isCertain === certain)
    .map((loop) => problem(relay, loop));
}

/** Memoized, since both problems and warnings come from it. */
const loopsOf = memoize((relay: Relay): readonly RelayLoop[] =>
  !mayLeadBack(relay) || hasTooManyPorts(relay.endpoints)
    ? []
    : relayLoops(relay.endpoints.map(loopEndpoint), ownNames(relay)),
);

/** Whether a remote is an address or a name that may be the relay's own: most are names of Services, of which few are. */
function mayLeadBack({ metadata: { name }, endpoints }: Relay): boolean {
  return endpoints.some(({ remotes }) =>
    remotes.some(({ address }) => {
      const host = address.toLowerCase();
      return host.startsWith(name) || isLocalhost(host) || addressFamily(host) !== undefined;
    }),
  );
}

function problem({ endpoints }: Relay, { endpoints: [name], what, remedy }: RelayLoop): Problem {
  const index = endpoints.findIndex((endpoint) => endpoint.name === name);
  return { path: ['spec', 'endpoints', index, 'remotes'], what, remedy };
}

/** A Service port is the port that the Pods listen on, so the Service's name leads back to them. */
function ownNames({ metadata: { name, namespace }, service, endpoints }: Relay): OwnNames {
  const names = [name, `${name}.${namespace}`, `${name}.${namespace}.svc`];
  const inCluster = endpoints
    .flatMap(({ remotes }) => remotes.map(({ address }) => address.toLowerCase().replace(/\.$/, '')))
    .filter((host) => host.startsWith(`${name}.${namespace}.svc.`)); // whatever the cluster's domain is
  const all = service.enabled ? [...names, ...inCluster] : [];
  return { addresses: [], names: new Map(all.map((each) => [each, 'certain'])) };
}

function loopEndpoint({ name, network, listen, remotes }: Endpoint): LoopEndpoint {
  const hosts = remotes.map((remote) => ({ ...remote, ...present('ip', parseIpAddress(remote.address)) }));
  return {
    name,
    network,
    ports: portsFrom(listen.port, lastPort(listen)).map((port) => ({
      listen: { host: listen.address.text, port, ip: listen.address },
      remotes: hosts.map(({ address: host, ip, port: first, fixedPort }): HostPort => {
        return { host, port: fixedPort ? first : first + port - listen.port, ip };
      }),
    })),
  };
}
