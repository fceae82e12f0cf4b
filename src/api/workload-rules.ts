import type { Problem } from '../lib/problem.ts';
import type { Relay } from './relay.ts';
import { isNone } from './schema/workload.ts';

/** The first port that an unprivileged process may bind by default. */
const firstUnprivilegedPort = 1024;

/** Problems in the workload of `relay`. */
export function workloadProblems(relay: Relay): Problem[] {
  return [...autoscalingProblems(relay), ...rollingUpdateProblems(relay)];
}

function autoscalingProblems({ workload, autoscaling }: Relay): Problem[] {
  if (workload.kind === 'Deployment' || autoscaling === undefined) return [];
  return [
    {
      path: ['spec', 'autoscaling'],
      what: 'cannot go with a DaemonSet, which has a Pod on every node that podTemplate selects',
      remedy: 'remove it, or set workload.kind to Deployment',
    },
  ];
}

/** What the API server refuses in a DaemonSet, and what no workload could carry out. */
function rollingUpdateProblems({ workload: { kind, hostNetwork, rollingUpdate } }: Relay): Problem[] {
  const { maxSurge, maxUnavailable } = rollingUpdate;
  const path = ['spec', 'workload', 'rollingUpdate'];
  const [isSurge, isUnavailable] = [!isNone(maxSurge), !isNone(maxUnavailable)];
  if (!isSurge && !isUnavailable)
    return [{ path, what: 'lets no Pod ever be replaced', remedy: 'set maxUnavailable to 1' }];
  if (kind === 'Deployment' || !isSurge) return [];
  if (hostNetwork) {
    const what =
      'cannot be more than 0 for a DaemonSet on hostNetwork: two Pods need the same ports of a node';
    return [{ path: [...path, 'maxSurge'], what, value: maxSurge, remedy: 'set it to 0, or remove it' }];
  }
  if (!isUnavailable) return [];
  const what = 'has both maxSurge and maxUnavailable, of which a DaemonSet takes one';
  return [{ path, what, value: rollingUpdate, remedy: 'set one of them to 0' }];
}

/** Parts of the workload of `relay` that have no effect, or may not work. */
export function workloadWarnings(relay: Relay): Problem[] {
  return [
    ...replicaWarnings(relay),
    ...autoscalingWarnings(relay),
    ...budgetWarnings(relay),
    ...hostNetworkWarnings(relay),
  ];
}

/** Whether `relay` has more than one Pod, so that one may be evicted while others serve. */
export function hasSpares({ workload, replicas, autoscaling }: Relay): boolean {
  return workload.kind === 'Deployment' && (autoscaling?.maxReplicas ?? replicas) > 1;
}

function autoscalingWarnings({ workload, autoscaling, replicas, resources }: Relay): Problem[] {
  if (workload.kind === 'DaemonSet' || autoscaling === undefined) return [];
  const ignored = {
    path: ['spec', 'replicas'],
    what: 'has no effect while there is autoscaling, which sets the number of Pods',
    value: replicas,
    remedy: 'remove it, or use autoscaling.minReplicas',
  };
  const unmeasured = {
    path: ['spec', 'autoscaling'],
    what: 'has no effect until the Pods ask for CPU, of which it counts the use',
    remedy: 'set resources.requests.cpu',
  };
  // A CPU limit also acts as the request if there is none.
  const isMeasured = 'cpu' in resources.requests || 'cpu' in resources.limits;
  return [...(replicas === 1 ? [] : [ignored]), ...(isMeasured ? [] : [unmeasured])];
}

function replicaWarnings({ workload, replicas }: Relay): Problem[] {
  if (workload.kind === 'Deployment' || replicas === 1) return []; // 1 is the default, which the API server writes
  return [
    {
      path: ['spec', 'replicas'],
      what: 'has no effect with a DaemonSet, which has a Pod on every node that podTemplate selects',
      value: replicas,
      remedy: 'remove it, or set workload.kind to Deployment',
    },
  ];
}

function budgetWarnings(relay: Relay): Problem[] {
  if (relay.podDisruptionBudget === undefined || hasSpares(relay)) return [];
  const isDaemonSet = relay.workload.kind === 'DaemonSet';
  return [
    {
      path: ['spec', 'podDisruptionBudget'],
      what: isDaemonSet
        ? 'has no effect with a DaemonSet, whose Pods stay when nodes are drained'
        : 'has no effect with fewer than two replicas: the one Pod could never be moved',
      remedy: isDaemonSet ? 'remove it' : 'set replicas to 2 or more, or remove it',
    },
  ];
}

function hostNetworkWarnings({ workload, endpoints, networkPolicy }: Relay): Problem[] {
  if (!workload.hostNetwork) return [];
  const privileged = endpoints.flatMap(({ name, listen: { port } }, index) =>
    port >= firstUnprivilegedPort
      ? []
      : [
          {
            path: ['spec', 'endpoints', index, 'listen', 'port'],
            what: `of endpoint "${name}" is below ${String(firstUnprivilegedPort)}, which on hostNetwork only nodes allow whose sysctl net.ipv4.ip_unprivileged_port_start is that low: the relay has no rights of its own`,
            value: port,
            remedy: 'use a port from 1024, or set the sysctl on the nodes, or do without hostNetwork',
          },
        ],
  );
  if (!networkPolicy.enabled) return privileged;
  return [
    ...privileged,
    {
      path: ['spec', 'networkPolicy'],
      what: 'has no effect on most networks with hostNetwork: the Pods have the addresses of their nodes',
      remedy: 'remove it, or do without hostNetwork',
    },
  ];
}
