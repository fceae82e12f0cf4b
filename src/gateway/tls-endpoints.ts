import { hostnameOf, isBelow, namedRoutes } from './hostnames.ts';
import { lacksCertificate } from './listeners.ts';
import { byPrecedence } from './precedence.ts';
import { routeEndpoint, type RouteEndpoint } from './route-endpoint.ts';
import type { ServedEndpoint, ServedListener } from './served.ts';
import type { Lookup, Route } from './types.ts';

/** The dial timeout, which is the time for the ClientHello of a client, too, who may be far away. */
const handshakeTimeoutSeconds = 5;

/** The remote of an endpoint that refuses everybody, which has to have one: of a prefix that leads nowhere (RFC 6666). */
const nowhere = [{ address: '100::1', port: 9 }];

/**
 * The endpoints of the TLS listeners among `listeners`: one for each route, called `LISTENER/NAMESPACE/NAME` (a TCPRoute: that
 * and `/tcp`), with the names that lead to it. A name whose route has no backend is refused, and so is one that a listener has and
 * no route of it, if another listener of the port has a wider one: else that would lead its clients to a backend that is not
 * theirs. A listener with a certificate has an endpoint in any case, by which Pods report whether it is valid. Pure.
 */
export function tlsEndpoints(listeners: readonly ServedListener[], lookup: Lookup): ServedEndpoint[] {
  const ofTls = listeners.filter(({ listener }) => listener.spec.protocol === 'TLS');
  return ofTls.flatMap((each) => {
    const { port } = each.listener.spec;
    const sharing = ofTls.filter(({ listener }) => listener.spec.port === port);
    return listenerEndpoints(each, sharing, lookup);
  });
}

function listenerEndpoints(
  { listener, routes }: ServedListener,
  sharing: readonly ServedListener[],
  lookup: Lookup,
): ServedEndpoint[] {
  const { spec } = listener;
  const ofPort = sharing.map((each) => each.listener.spec);
  const lacking = lacksCertificate(listener);
  const serving = lacking ? [] : byPrecedence(routes);
  const named = namedRoutes(spec, serving, ofPort).filter(({ hosts }) => hosts.length > 0);
  const endpoints = named.map(({ route, hosts }) => {
    return endpoint(nameOf(spec.name, route), hosts, routeEndpoint(listener, route, lookup));
  });
  const own = hostnameOf(spec);
  const isOpen = ofPort.some((other) => other !== spec && isBelow(own, hostnameOf(other)));
  const isNamed = named.some(({ hosts }) => hosts.includes(own));
  const isUnseen = listener.certificate !== undefined && !lacking && named.length === 0;
  if (isNamed || !(isOpen || isUnseen)) return endpoints;
  return [...endpoints, endpoint(spec.name, [own], routeEndpoint(listener, undefined, lookup))];
}

function nameOf(listener: string, { kind, metadata: { namespace, name } }: Route): string {
  return `${listener}/${namespace}/${name}${kind === 'TCPRoute' ? '/tcp' : ''}`;
}

function endpoint(name: string, hosts: readonly string[], { spec, backends }: RouteEndpoint): ServedEndpoint {
  const isRefused = spec.remotes.length === 0;
  return {
    spec: {
      ...spec,
      name,
      sni: hosts.includes('') ? {} : { hosts: [...hosts] },
      remotes: isRefused ? nowhere : spec.remotes,
      network: { tcpTimeoutSeconds: handshakeTimeoutSeconds, ...spec.network, tcp: true, udp: false },
    },
    backends: isRefused ? [{ weight: 1, refuse: true }] : backends,
  };
}
