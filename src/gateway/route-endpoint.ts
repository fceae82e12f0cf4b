import type { EndpointSpec } from '../api/schema/endpoint.ts';
import { present } from '../lib/record.ts';
import { type Dialling, endpointsBeyond, routeBackends, type RouteBackends } from './backends.ts';
import type { JudgedListener } from './listeners.ts';
import { portRange } from './listener-ports.ts';
import { routePolicies, settingsOver } from './policies.ts';
import type { PolicySettings } from './policy-rules.ts';
import type { Lookup, Route } from './types.ts';

/** An endpoint without its name, and the backends that share its clients; without remotes if no backend can be used. */
export type RouteEndpoint = { readonly spec: Omit<EndpointSpec, 'name'> } & Pick<RouteBackends, 'backends'>;

/**
 * Where the clients of `listener` that `route` serves connect and go, with the settings of the policies of both. Pure.
 *
 * @param route  undefined for clients that no route serves.
 */
export function routeEndpoint(
  listener: JudgedListener,
  route: Route | undefined,
  lookup: Lookup,
): RouteEndpoint {
  const policy = settingsAt(listener, route, lookup);
  const { endPort, backends: _dialled, ...fields } = policy;
  const { first } = portRange(listener.spec, policy);
  const dialling = diallingOf(listener, policy);
  const { remotes, backends } =
    route === undefined ? { remotes: [], backends: undefined } : routeBackends(route, dialling, lookup);
  const listen = { port: first, ...present('endPort', endPort) };
  const { certificate } = listener;
  const tls = certificate !== undefined && 'secretName' in certificate ? certificate : undefined;
  return { spec: { ...fields, listen, remotes, ...present('listenTransport', tls && { tls }) }, backends };
}

function settingsAt(listener: JudgedListener, route: Route | undefined, lookup: Lookup): PolicySettings {
  return settingsOver(listener.policy, route === undefined ? {} : routePolicies(route, lookup).settings);
}

function diallingOf({ spec }: JudgedListener, settings: PolicySettings): Dialling {
  const { first, last } = portRange(spec, settings);
  return { ...present('backends', settings.backends), morePorts: last - first };
}

/** What of `route` the port range of `listener` leaves out, and the remedy; undefined if it leaves out nothing. Pure. */
export function rangeFault(listener: JudgedListener, route: Route, lookup: Lookup): string | undefined {
  const dialling = diallingOf(listener, settingsAt(listener, route, lookup));
  const { morePorts = 0 } = dialling;
  if (morePorts === 0) return undefined;
  const left = [...endpointsBeyond(route, dialling, lookup)].map(
    ([service, ports]) => `endpoints of Service "${service}" at port ${ports.join(', ')}`,
  );
  if (left.length === 0) return undefined;
  return `Listener "${listener.spec.name}" has ${String(morePorts + 1)} ports, for which ${left.join(' and ')} have no room below 65536, so they get no clients: lower the ports of the endpoints, or endPort of the policy.`;
}
