import { routeBackends } from './backends.ts';
import { hostnameOf, isBelow, namedRoutes } from './hostnames.ts';
import { byPrecedence } from './precedence.ts';
import type { ServedEndpoint, ServedListener } from './served.ts';
import type { Lookup } from './types.ts';

/** The dial timeout, which is the time for the ClientHello of a client, too, who may be far away. */
const handshakeTimeoutSeconds = 5;

/** The remote of an endpoint that refuses everybody, which has to have one: of a prefix that leads nowhere (RFC 6666). */
const nowhere = [{ address: '100::1', port: 9 }];

/**
 * The endpoints of the TLS listeners among `listeners`: one for each route, called `LISTENER/NAMESPACE/NAME`, with the names that
 * lead to it. Where none of a port has a backend, the port is closed. Where another one has, a name whose route has no backend
 * is refused, and so is one that a listener has and no route of it: else a wider name would lead its clients to a backend that is
 * not theirs. Pure.
 */
export function tlsEndpoints(listeners: readonly ServedListener[], lookup: Lookup): ServedEndpoint[] {
  const ofTls = listeners.filter(({ listener }) => listener.spec.protocol === 'TLS');
  const ports = Map.groupBy(ofTls, ({ listener }) => listener.spec.port);
  return [...ports.values()].flatMap((sharing) => {
    const endpoints = sharing.flatMap((each) => listenerEndpoints(each, sharing, lookup));
    return endpoints.some(({ spec }) => spec.remotes !== nowhere) ? endpoints : [];
  });
}

function listenerEndpoints(
  { listener: { spec: listener }, routes }: ServedListener,
  sharing: readonly ServedListener[],
  lookup: Lookup,
): ServedEndpoint[] {
  const ofPort = sharing.map((each) => each.listener.spec);
  const named = namedRoutes(listener, byPrecedence(routes), ofPort).filter(({ hosts }) => hosts.length > 0);
  const endpoints = named.map(({ route, hosts }) => {
    const { namespace, name } = route.metadata;
    return endpoint(
      `${listener.name}/${namespace}/${name}`,
      listener.port,
      hosts,
      routeBackends(route, lookup),
    );
  });
  const own = hostnameOf(listener);
  const isOpen = ofPort.some((other) => other !== listener && isBelow(own, hostnameOf(other)));
  const isNamed = named.some(({ hosts }) => hosts.includes(own));
  return isNamed || !isOpen
    ? endpoints
    : [...endpoints, endpoint(listener.name, listener.port, [own], nothing)];
}

const nothing = { remotes: [], backends: undefined };

function endpoint(
  name: string,
  port: number,
  hosts: readonly string[],
  { remotes, backends }: ReturnType<typeof routeBackends>,
): ServedEndpoint {
  const isRefused = remotes.length === 0;
  return {
    spec: {
      name,
      listen: { port },
      sni: hosts.includes('') ? {} : { hosts: [...hosts] },
      remotes: isRefused ? nowhere : remotes,
      network: { tcpTimeoutSeconds: handshakeTimeoutSeconds },
    },
    backends: isRefused ? [{ weight: 1, refuse: true }] : backends,
  };
}
