import { portsText } from '../lib/port-range.ts';
import { maySelectOneNode } from './node-selection.ts';
import { type Listener, portConflicts } from './port-conflicts.ts';
import type { Relay } from './relay.ts';
import { adminPort } from './schema/endpoint.ts';

/** Two relays on hostNetwork that cannot run on the same node. */
export type NodeConflict = {
  /** Whether the conflict is certain: a DaemonSet runs on every node, while the scheduler keeps Pods of Deployments apart. */
  readonly isCertain: boolean;
  /** Names both relays and what both need. */
  readonly what: string;
  readonly remedy: string;
  /** `what` and `remedy` in one sentence. */
  readonly message: string;
};

/**
 * What keeps `relay` from running on the same node as each of `others`, sorted; empty if it is not on hostNetwork.
 *
 * Every relay needs the port of its admin server, so that two never fit on one node. Pure.
 */
export function nodeConflicts(relay: Relay, others: readonly Relay[]): NodeConflict[] {
  if (!relay.workload.hostNetwork) return [];
  return others
    .filter((other) => other.workload.hostNetwork && !isSame(relay, other))
    .filter((other) => maySelectOneNode(relay.podTemplate, other.podTemplate))
    .map((other) => nodeConflict(relay, other))
    .toSorted((a, b) => (a.message < b.message ? -1 : 1));
}

function isSame({ metadata: a }: Relay, { metadata: b }: Relay): boolean {
  return a.namespace === b.namespace && a.name === b.name;
}

function nodeConflict(relay: Relay, other: Relay): NodeConflict {
  const isCertain = [relay, other].some(({ workload }) => workload.kind === 'DaemonSet');
  const shared = portConflicts([...listeners(relay), ...listeners(other)]).filter(
    ({ endpoints: [first, second] }) => first.split('/', 2).join() !== second.split('/', 2).join(),
  );
  const ports = shared.flatMap(({ protocols, ports: { first, last } }) =>
    protocols.map((protocol) => `${protocol} ${portsText(first, last)}`),
  );
  const both = [`TCP ${String(adminPort)} of the admin server`, ...new Set(ports)].join(', ');
  const remedy = isCertain
    ? 'set podTemplate.spec.nodeSelector so that they are on different nodes, or make one relay of the two'
    : 'see that there is a node for each of their Pods, or make one relay of the two';
  const what = `on hostNetwork, relay "${title(relay)}" and relay "${title(other)}" cannot share a node, since both need ${both}`;
  return { isCertain, what, remedy, message: `${what}: ${remedy}` };
}

/** Without `sni`, since two processes cannot share a socket by it. */
function listeners(relay: Relay): Listener[] {
  return relay.endpoints.map(({ name, listen, network }) => ({
    name: `${title(relay)}/${name}`,
    listen,
    network,
  }));
}

function title({ metadata: { namespace, name } }: Relay): string {
  return `${namespace}/${name}`;
}
