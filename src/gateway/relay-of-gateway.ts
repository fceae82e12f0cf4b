import type { ListenTransport, Relay, ServicePort } from '../api/relay.ts';
import { resolve } from '../api/resolve.ts';
import type { GatewayParametersSpec } from '../api/schema/gateway-parameters.ts';
import { apiVersion, kind } from '../api/schema/realm-relay.ts';
import { addressFamily } from '../lib/ip-address.ts';
import { portsFrom } from '../lib/port-range.ts';
import { present } from '../lib/record.ts';
import type { JudgedListener } from './listeners.ts';
import { portRange } from './listener-ports.ts';
import { labelValue, relayName } from './names.ts';
import { servingRoute } from './precedence.ts';
import { protocolOf } from './references.ts';
import { routeEndpoint } from './route-endpoint.ts';
import type { ServedEndpoint, ServedListener } from './served.ts';
import { tlsEndpoints } from './tls-endpoints.ts';
import { type Gateway, gatewayGroup, type Labels, type Lookup } from './types.ts';

/** An address of a Pod that was replaced is silent, and each dial of it waits this long before the next one is tried. */
const dialTimeoutSeconds = 1;

/**
 * The relay that serves the valid ones of `listeners`; undefined if none is valid. A listener without a route, or whose route
 * has no backend to go to, has a port of the Service and no endpoint, so that clients are refused at once. Pure.
 */
export function relayOfGateway(
  gateway: Gateway,
  listeners: readonly ServedListener[],
  parameters: GatewayParametersSpec,
  lookup: Lookup,
): Relay | undefined {
  const valid = listeners.filter(({ listener }) => listener.isValid);
  if (valid.length === 0) return undefined;
  const { namespace, name, uid } = gateway.metadata;
  const served = [...valid.flatMap((each) => endpoint(each, lookup)), ...tlsEndpoints(valid, lookup)];
  const relay = resolve({
    apiVersion,
    kind,
    metadata: { name: relayName(gateway), namespace },
    spec: {
      ...parameters,
      endpoints: served.map(({ spec }) => spec),
      service: { type: 'LoadBalancer', ...parameters.service },
      commonMetadata: commonMetadata(gateway),
      network: { tcpTimeoutSeconds: dialTimeoutSeconds },
    },
  });
  return {
    ...relay,
    endpoints: relay.endpoints.map((each, index) => ({
      ...each,
      ...present('backends', served[index]?.backends),
      ...present('listenTransport', each.listenTransport && withOptionalCertificate(each.listenTransport)),
    })),
    servicePorts: valid.flatMap(({ listener }) => servicePorts(listener)),
    ...present('loadBalancerIP', requestedAddresses(gateway)[0]),
    ...(uid !== undefined && {
      owner: { apiVersion: `${gatewayGroup}/v1`, kind: 'Gateway', name, uid },
    }),
  };
}

/** Without the Secret of one listener, the others are served. */
function withOptionalCertificate({ tls, ...others }: ListenTransport): ListenTransport {
  return { ...others, ...present('tls', tls && { ...tls, isOptional: true as const }) };
}

/** The IP addresses that `gateway` requests; an entry without a value leaves the choice to the load balancer. */
export function requestedAddresses({ spec: { addresses = [] } }: Gateway): string[] {
  return addresses.flatMap(({ type = 'IPAddress', value = '' }) =>
    type === 'IPAddress' && addressFamily(value) !== undefined ? [value] : [],
  );
}

function commonMetadata({ metadata, spec }: Gateway): { labels: Labels; annotations: Labels } {
  const { labels = {}, annotations = {} } = spec.infrastructure ?? {};
  return {
    annotations,
    labels: {
      ...labels,
      [`${gatewayGroup}/gateway-name`]: labelValue(metadata.name),
      [`${gatewayGroup}/gateway-class-name`]: labelValue(spec.gatewayClassName),
    },
  };
}

function servicePorts({ spec, policy }: JudgedListener): ServicePort[] {
  const { first, last } = portRange(spec, policy);
  const protocol = spec.protocol === 'UDP' ? 'UDP' : 'TCP';
  return portsFrom(first, last).map((port) => ({ port, protocol }));
}

function endpoint({ listener, routes }: ServedListener, lookup: Lookup): ServedEndpoint[] {
  const { name, protocol } = listener.spec;
  const route = servingRoute(routes);
  if (route === undefined || protocol === 'TLS') return []; // of which tlsEndpoints makes one for each route
  const { spec, backends } = routeEndpoint(listener, route, lookup);
  if (spec.remotes.length === 0) return [];
  const isUdp = protocolOf(route) === 'UDP';
  return [{ spec: { ...spec, name, network: { ...spec.network, tcp: !isUdp, udp: isUdp } }, backends }];
}
