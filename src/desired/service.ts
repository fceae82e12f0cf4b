import type { V1Service, V1ServicePort, V1ServiceSpec } from '@kubernetes/client-node';
import { lastPort, protocols } from '../api/port-conflicts.ts';
import type { Endpoint, Relay, ServicePort } from '../api/relay.ts';
import { nodePorts, type NodePort } from '../api/service-rules.ts';
import { portsFrom } from '../lib/port-range.ts';
import type { Problem } from '../lib/problem.ts';
import { present } from '../lib/record.ts';
import { objectMeta, selectorLabels, type Desired } from './object-meta.ts';
import {
  immutableFamilies,
  recreateRemedy,
  serviceFamilies,
  type ClusterStack,
  type ObservedFamilies,
} from './service-families.ts';

/** The part of a live Service that decides what it can become. */
export type ObservedService = ObservedFamilies & Pick<V1ServiceSpec, 'type' | 'loadBalancerClass'>;

/**
 * The Service that exposes every endpoint of `relay`, one Service port per distinct (port, protocol): two endpoints
 * may share one, each for its own family.
 *
 * Fields that only other types have are left out, since the API server rejects them.
 *
 * @param observed  the live Service; undefined if there is none yet.
 * @param stack     what Services of the cluster can have; it matters only if the live Service lacks a preferred family.
 */
export function service(
  relay: Relay,
  observed: ObservedService | undefined,
  stack?: ClusterStack,
): Desired<V1Service> {
  const { annotations, labels, type } = relay.service;
  const { ipFamilyPolicy, ipFamilies } = serviceFamilies(relay, observed, stack);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: objectMeta(relay, relay.metadata.name, { labels, annotations }),
    spec: {
      type,
      selector: selectorLabels(relay),
      ipFamilyPolicy,
      ...(ipFamilies === undefined ? {} : { ipFamilies: [...ipFamilies] }),
      ...present('sessionAffinity', relay.service.sessionAffinity),
      ...(type === 'ClusterIP' ? {} : present('externalTrafficPolicy', relay.service.externalTrafficPolicy)),
      ...(type === 'LoadBalancer' ? balancer(relay, observed) : {}),
      ports: servicePorts(relay),
    },
  };
}

/**
 * The wanted fields that the live Service cannot get, in the order of the fields.
 *
 * A load balancer class that the user does not name may come from the cluster, so it is left alone; if it was ours, the API
 * server rejects its removal.
 */
export function immutableFields(relay: Relay, observed: ObservedService): Problem[] {
  const families = immutableFamilies(relay, observed);
  const { loadBalancerClass: wanted, type } = relay.service;
  const { loadBalancerClass: live } = observed;
  const isFixed = type === 'LoadBalancer' && observed.type === 'LoadBalancer' && wanted !== undefined;
  if (!isFixed || wanted === live) return families === undefined ? [] : [families];
  const now = live === undefined ? 'which has none' : `now "${live}"`;
  return [
    ...(families === undefined ? [] : [families]),
    {
      path: ['spec', 'service', 'loadBalancerClass'],
      what: `cannot be changed on a live Service (${now})`,
      value: wanted,
      remedy: `${recreateRemedy}, or ${live === undefined ? 'remove it' : `set it to ${live}`}`,
    },
  ];
}

/** The class of the live Service, if it has one: it cannot change, which {@link immutableFields} reports. */
function balancer(
  { service: wanted, loadBalancerIP }: Relay,
  observed: ObservedService | undefined,
): Partial<V1ServiceSpec> {
  const { loadBalancerClass: chosen, loadBalancerSourceRanges: ranges } = wanted;
  const isLive = observed?.type === 'LoadBalancer';
  const lbClass = chosen !== undefined && isLive ? observed.loadBalancerClass : chosen;
  return {
    ...present('loadBalancerClass', lbClass),
    ...present('loadBalancerIP', loadBalancerIP),
    ...(ranges.length > 0 && { loadBalancerSourceRanges: [...ranges] }),
  };
}

/** Named `tcp-443`: names are unique, and service meshes read the protocol from the prefix. */
function servicePorts(relay: Relay): V1ServicePort[] {
  const ports = relay.servicePorts?.map(servicePort) ?? relay.endpoints.flatMap(endpointPorts);
  const distinct = new Map(ports.map((port) => [port.name, port]));
  return [...distinct.values()].map((port) => ({ ...port, ...present('nodePort', nodePort(relay, port)) }));
}

/** One Service port for each port of a range, since a Service has no ranges. */
function endpointPorts(endpoint: Endpoint) {
  const { listen } = endpoint;
  return portsFrom(listen.port, lastPort(listen)).flatMap((port) =>
    protocols(endpoint).map((protocol) => servicePort({ port, protocol })),
  );
}

function servicePort({ port, protocol }: ServicePort) {
  return { name: `${protocol.toLowerCase()}-${String(port)}`, port, protocol, targetPort: port };
}

function nodePort(relay: Relay, { port, protocol }: Pick<NodePort, 'port' | 'protocol'>): number | undefined {
  if (relay.service.type === 'ClusterIP') return undefined;
  return nodePorts(relay).find((wanted) => wanted.port === port && wanted.protocol === protocol)?.nodePort;
}
