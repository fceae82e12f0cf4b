import { isUnspecified, parseIpAddress, type IpAddress } from '../lib/ip-address.ts';
import { present } from '../lib/record.ts';
import { resolvedCommonMetadata, resolvedPodTemplate } from './pod-template.ts';
import { resolvedWorkload } from './workload.ts';
import type {
  Endpoint,
  HealthCheck,
  ListenTransport,
  Network,
  Owner,
  Relay,
  Remote,
  RemoteTransport,
  Service,
  WebSocketSettings,
} from './relay.ts';
import type { EndpointSpec } from './schema/endpoint.ts';
import {
  apiVersion,
  kind,
  type NetworkSpec,
  type RealmRelay,
  type ServiceSpec,
} from './schema/realm-relay.ts';

const networkDefaults: Network = {
  ipv6Only: false,
  tcp: true,
  udp: false,
  tcpTimeoutSeconds: 5,
  udpTimeoutSeconds: 30,
  tcpKeepaliveSeconds: 15,
  tcpKeepaliveProbes: 3,
  tcpUserTimeoutSeconds: 60,
  dscp: 0,
  allowedSources: [],
  sendProxy: { enabled: false, version: 2, udp: false, everyDatagram: false },
  acceptProxy: { enabled: false, timeoutSeconds: 5, trustedSources: [] },
  tcpIdleTimeoutSeconds: 0,
  tcpHalfCloseTimeoutSeconds: 300,
  maxConnections: 0,
  maxConnectionsPerClient: 0,
  maxWaiting: 1024,
};

/** The relay that `object` describes: every default applied once, an endpoint's network over the spec's, field by field. */
export function resolve({ metadata, spec }: RealmRelay): Relay {
  const network = over(networkDefaults, spec.network);
  return {
    metadata: { name: metadata.name, namespace: metadata.namespace ?? 'default' },
    ...present('owner', metadata.uid === undefined ? undefined : owner(metadata.name, metadata.uid)),
    replicas: spec.replicas ?? 1,
    endpoints: spec.endpoints.map((endpoint) => resolvedEndpoint(endpoint, network)),
    service: resolvedService(spec.service ?? {}),
    ...present('image', spec.image),
    resources: { limits: spec.resources?.limits ?? {}, requests: spec.resources?.requests ?? {} },
    podTemplate: resolvedPodTemplate(spec),
    commonMetadata: resolvedCommonMetadata(spec),
    ...resolvedWorkload(spec),
    ...operation(spec),
  };
}

function operation(
  spec: RealmRelay['spec'],
): Pick<Relay, 'logLevel' | 'workers' | 'drainSeconds' | 'updateStrategy' | 'paused'> {
  return {
    logLevel: spec.logLevel ?? 'info',
    workers: spec.workers ?? 1,
    drainSeconds: spec.drainSeconds ?? 30,
    updateStrategy: spec.updateStrategy ?? 'HotReload',
    paused: spec.paused ?? false,
  };
}

function owner(name: string, uid: string): Owner {
  return { apiVersion, kind, name, uid };
}

function resolvedEndpoint(endpoint: EndpointSpec, network: Network): Endpoint {
  return {
    name: endpoint.name,
    listen: resolvedListen(endpoint.listen),
    ...present('sni', endpoint.sni && { hosts: endpoint.sni.hosts ?? [] }),
    remotes: endpoint.remotes.map(resolvedRemote),
    balance: endpoint.balance ?? 'RoundRobin',
    network: over(network, endpoint.network),
    ...present('through', sourceAddress(endpoint.through)),
    ...present('healthCheck', endpoint.healthCheck && resolvedHealthCheck(endpoint.healthCheck)),
    ...present('listenTransport', endpoint.listenTransport && listenTransport(endpoint.listenTransport)),
    ...present('remoteTransport', endpoint.remoteTransport && remoteTransport(endpoint.remoteTransport)),
  };
}

/** The unspecified address of either family is none to bind to. */
function sourceAddress(text: string | undefined): string | undefined {
  const ip = text === undefined ? undefined : parseIpAddress(text);
  return ip === undefined || isUnspecified(ip) ? undefined : ip.text;
}

/** A range of one port becomes a single port. */
function resolvedListen({ address: text, port, endPort }: EndpointSpec['listen']): Endpoint['listen'] {
  const listen = { address: address(text ?? '::'), port };
  return endPort === undefined || endPort === port ? listen : { ...listen, endPort };
}

function listenTransport({ tls, webSocket }: NonNullable<EndpointSpec['listenTransport']>): ListenTransport {
  const resolvedTls = tls && {
    secretName: tls.secretName,
    ...present('clientCASecretName', tls.clientCASecretName),
    alpn: tls.alpn ?? [],
  };
  return {
    ...present('tls', resolvedTls),
    ...present('webSocket', webSocket && webSocketSettings(webSocket)),
  };
}

function webSocketSettings({
  host,
  path,
  pingIntervalSeconds,
  pingTimeoutSeconds,
}: NonNullable<NonNullable<EndpointSpec['remoteTransport']>['webSocket']>): WebSocketSettings {
  return {
    host,
    path,
    ...present('pingIntervalSeconds', pingIntervalSeconds),
    ...present('pingTimeoutSeconds', pingTimeoutSeconds),
  };
}

function remoteTransport({ tls, webSocket }: NonNullable<EndpointSpec['remoteTransport']>): RemoteTransport {
  const resolvedTls = tls && {
    serverName: tls.serverName,
    ...present('caSecretName', tls.caSecretName),
    ...present('clientSecretName', tls.clientSecretName),
    alpn: tls.alpn ?? [],
    insecure: tls.insecure ?? false,
  };
  return {
    ...present('tls', resolvedTls),
    ...present('webSocket', webSocket && webSocketSettings(webSocket)),
  };
}

function resolvedHealthCheck(check: NonNullable<EndpointSpec['healthCheck']>): HealthCheck {
  return {
    intervalSeconds: check.intervalSeconds ?? 10,
    timeoutSeconds: check.timeoutSeconds ?? 2,
    unhealthyThreshold: check.unhealthyThreshold ?? 3,
    healthyThreshold: check.healthyThreshold ?? 1,
    ...present('udp', check.udp && { send: check.udp.send, ...present('expect', check.udp.expect) }),
  };
}

function resolvedRemote(remote: EndpointSpec['remotes'][number]): Remote {
  const text = parseIpAddress(remote.address)?.text ?? remote.address;
  const { port, fixedPort = false, weight = 1 } = remote;
  return { address: text, port, fixedPort, weight };
}

function resolvedService(service: ServiceSpec): Service {
  return {
    enabled: service.enabled ?? true,
    type: service.type ?? 'ClusterIP',
    ...present('ipFamilyPolicy', service.ipFamilyPolicy),
    ...present('ipFamilies', service.ipFamilies),
    recreatePolicy: service.recreatePolicy ?? 'Never',
    annotations: service.annotations ?? {},
    labels: service.labels ?? {},
    ...present('externalTrafficPolicy', service.externalTrafficPolicy),
    ...present('loadBalancerClass', service.loadBalancerClass),
    loadBalancerSourceRanges: service.loadBalancerSourceRanges ?? [],
    ...present('sessionAffinity', service.sessionAffinity),
    nodePorts: service.nodePorts ?? {},
  };
}

/** The schema accepts only IP addresses. */
function address(text: string): IpAddress {
  const parsed = parseIpAddress(text);
  if (parsed === undefined) throw new TypeError(`not an IP address: ${text}`);
  return parsed;
}

/** `defaults`, overridden by the fields of `chosen`. */
function over(defaults: Network, chosen: NetworkSpec = {}): Network {
  const { sendProxy, acceptProxy, ...rest } = chosen;
  return {
    ...fieldsOver(defaults, rest),
    sendProxy: fieldsOver(defaults.sendProxy, sendProxy),
    acceptProxy: fieldsOver(defaults.acceptProxy, acceptProxy),
  };
}

function fieldsOver<T extends object>(defaults: T, chosen: object = {}): T {
  const given = Object.entries(chosen).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}
