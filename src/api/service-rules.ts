import { portsFrom } from '../lib/port-range.ts';
import { nearest, type Problem } from '../lib/problem.ts';
import { ownValue } from '../lib/record.ts';
import {
  annotationProblems,
  annotationSizeProblems,
  isOwnObjectLabel,
  labelProblems,
  ownLabelWarnings,
} from './label-rules.ts';
import { lastPort, protocols } from './port-conflicts.ts';
import { portPairs } from './port-limits.ts';
import { maxServicePorts } from './schema/endpoint.ts';
import type { Relay, Service } from './relay.ts';

const servicePath = ['spec', 'service'] as const;

/** Problems in the Service of `relay`, except for its IP families. */
export function serviceFieldProblems(relay: Relay): Problem[] {
  const { labels, annotations } = relay.service;
  return [
    ...labelProblems(labels, [...servicePath, 'labels']),
    ...annotationProblems(annotations, [...servicePath, 'annotations']),
    ...annotationSizeProblems({ ...relay.commonMetadata.annotations, ...annotations }, [
      ...servicePath,
      'annotations',
    ]),
    ...unknownEndpoints(relay),
    ...nodePortConflicts(relay),
  ];
}

/** Parts of the Service of `relay` that have no effect. */
export function serviceFieldWarnings({ service }: Relay): Problem[] {
  const { type, labels } = service;
  const needsNode = ['externalTrafficPolicy', 'nodePorts'] as const;
  const needsBalancer = ['loadBalancerClass', 'loadBalancerSourceRanges'] as const;
  return [
    ...ownLabelWarnings(labels, [...servicePath, 'labels'], isOwnObjectLabel),
    ...(type === 'ClusterIP' ? idle(service, needsNode, 'NodePort or LoadBalancer') : []),
    ...(type === 'LoadBalancer' ? [] : idle(service, needsBalancer, 'LoadBalancer')),
  ];
}

/** A Service port of a relay, the node port wanted for it, and the endpoint that wants it. */
export type NodePort = {
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  readonly nodePort: number;
  readonly endpoint: string;
};

/** The node ports that `relay` names, in the order of its endpoints; those of a range follow the first one. */
export function nodePorts({ endpoints, service }: Relay): NodePort[] {
  return endpoints.flatMap((endpoint) => {
    const nodePort = ownValue(service.nodePorts, endpoint.name);
    if (nodePort === undefined) return [];
    const { name, listen } = endpoint;
    return portsFrom(listen.port, lastPort(listen)).flatMap((port) =>
      protocols(endpoint).map((protocol) => {
        return { port, protocol, nodePort: nodePort + port - listen.port, endpoint: name };
      }),
    );
  });
}

function idle(service: Service, fields: readonly (keyof Service)[], types: string): Problem[] {
  return fields
    .filter((field) => isGiven(service[field]))
    .map((field) => ({
      path: [...servicePath, field],
      what: `has no effect with type ${service.type}`,
      remedy: `remove it, or set type to ${types}`,
    }));
}

function isGiven(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return value !== undefined;
}

function unknownEndpoints({ endpoints, service }: Relay): Problem[] {
  const names = endpoints.map(({ name }) => name);
  return Object.keys(service.nodePorts)
    .filter((name) => !names.includes(name))
    .map((name) => {
      const near = nearest(name, names);
      const remedy = near === undefined ? `use one of ${names.join(', ')}` : `did you mean "${near}"?`;
      return { path: [...servicePath, 'nodePorts', name], what: 'names no endpoint', remedy };
    });
}

/** Two endpoints that share a Service port have one node port; two Service ports of one protocol never have the same. */
function nodePortConflicts(relay: Relay): Problem[] {
  if (!relay.service.enabled || portPairs(relay.endpoints) > maxServicePorts) return []; // there will be no such Service
  const wanted = nodePorts(relay);
  return relay.endpoints.flatMap(({ name }) => {
    const own = wanted.filter(({ endpoint }) => endpoint === name);
    const before = wanted.slice(
      0,
      Math.max(
        0,
        wanted.findIndex(({ endpoint }) => endpoint === name),
      ),
    );
    const pair = own.flatMap((port) =>
      before.filter((other) => meet(other, port)).map((other) => [other, port] as const),
    );
    return pair[0] === undefined ? [] : [nodePortConflict(...pair[0])];
  });
}

function nodePortConflict(first: NodePort, { port, protocol, nodePort, endpoint }: NodePort): Problem {
  const path = [...servicePath, 'nodePorts', endpoint];
  if (first.port !== port) {
    const what = `is the node port of endpoint "${first.endpoint}", too`;
    return { path, what, value: nodePort, remedy: 'choose another node port' };
  }
  return {
    path,
    what: `shares Service port ${String(port)} (${protocol}) with endpoint "${first.endpoint}", for which nodePorts says ${String(first.nodePort)}`,
    value: nodePort,
    remedy: 'name one node port for both, or name it once',
  };
}

function meet(first: NodePort, second: NodePort): boolean {
  if (first.protocol !== second.protocol) return false;
  return (first.port === second.port) !== (first.nodePort === second.nodePort);
}
