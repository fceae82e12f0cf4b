import type { EndpointSpec } from '../api/schema/endpoint.ts';
import { present } from '../lib/record.ts';
import { routeBackends, type RouteBackends } from './backends.ts';
import type { JudgedListener } from './listeners.ts';
import { portRange, routePolicies, settingsOver } from './policies.ts';
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
  const ofRoute = route === undefined ? {} : routePolicies(route, lookup).settings;
  const policy = settingsOver(listener.policy, ofRoute);
  const { endPort, backends: dialled, ...fields } = policy;
  const { first, last } = portRange(listener.spec, policy);
  const dialling = { ...present('backends', dialled), morePorts: last - first };
  const { remotes, backends } =
    route === undefined ? { remotes: [], backends: undefined } : routeBackends(route, dialling, lookup);
  const listen = { port: first, ...present('endPort', endPort) };
  return { spec: { ...fields, listen, remotes }, backends };
}
