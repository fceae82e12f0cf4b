import { hash } from 'node:crypto';
import type { V1ConfigMap, V1Service } from '@kubernetes/client-node';
import type { CertificateFaults, GatewayOutcome, Progress } from '../../gateway/gateway-status.ts';
import { requestedAddresses } from '../../gateway/relay-of-gateway.ts';
import type { Gateway, GatewayAddress } from '../../gateway/types.ts';
import { configKey } from '../../desired/config-map.ts';
import type { KubeObject } from '../../kube/object.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { serviceOf, workloadOf } from '../kinds.ts';
import { podCounts, type Rollout, rollout } from '../rollout.ts';
import { rolloutOf, type RunningPods } from '../running-pods.ts';
import { addressesOf } from '../service-status.ts';
import type { Verdict } from '../verdict.ts';

/** What the outcome of a reconcile is computed from. */
export type OutcomeInput = {
  readonly gateway: Gateway;
  readonly verdict: Verdict;
  /** The objects that the Gateway owns now. */
  readonly owned: readonly KubeObject[];
  readonly running: RunningPods;
};

/** What a reconcile of a Gateway came to. Pure. */
export function gatewayOutcome({ gateway, verdict, owned, running }: OutcomeInput): GatewayOutcome {
  const service = serviceOf(owned);
  const pods = podProgress({ gateway, verdict, owned, running });
  const addresses = addressesOf(service).map(({ family, address }): GatewayAddress => ({
    type: family === undefined ? 'Hostname' : 'IPAddress',
    value: address,
  }));
  return {
    pods,
    address: addressProgress(gateway, service, addresses),
    addresses,
    faults: new Map(
      running.faults.map(({ endpoint, pod, message }) => [listenerOf(endpoint), `Pod "${pod}": ${message}`]),
    ),
    certificates: pods.isDone || isSettled(owned, running) ? certificateFaults(running) : undefined,
  };
}

/** Whether no Pod of an earlier template is left, which would lack Secrets, and one has reported, if Pods can be asked. */
function isSettled(owned: readonly KubeObject[], { updated }: RunningPods): boolean {
  return rollout(workloadOf(owned, 'Deployment'), 'Deployment').state !== 'progressing' && updated !== 0;
}

function certificateFaults({ certificates = [] }: RunningPods): CertificateFaults {
  const byListener = Map.groupBy(certificates, ({ endpoint }) => listenerOf(endpoint));
  return new Map(
    [...byListener].map(([name, faults]) => {
      const worst = faults.find(({ isServed }) => !isServed) ?? faults[0];
      const { pod = '', message = '', isServed = false } = worst ?? {};
      return [name, { message: `Pod "${pod}": ${message}.`, isServed }];
    }),
  );
}

/** The listener of an endpoint, which is called as that, or of TLS as that and its route. */
function listenerOf(endpoint: string): string {
  return endpoint.split('/', 1).join('');
}

/** Hash of the configuration in the ConfigMap among `owned`, as the relay reports it; undefined if there is none. Pure. */
export function observedHash(owned: readonly KubeObject[]): string | undefined {
  const configMap = owned.find(({ kind }) => kind === 'ConfigMap') as V1ConfigMap | undefined;
  const text = configMap?.data?.[configKey];
  return text === undefined ? undefined : hash('sha256', text);
}

function podProgress({ gateway, verdict, owned, running }: OutcomeInput): Progress {
  if (verdict.kind !== 'programmed') {
    const { reason, message } = 'reason' in verdict ? verdict : { reason: 'Pending', message: '' };
    return { isDone: false, reason, message };
  }
  const workload = workloadOf(owned, 'Deployment');
  const progress = rolloutOf(rollout(workload, 'Deployment'), running);
  const ready = workload === undefined ? 0 : podCounts(workload).ready;
  if (progress.state === 'ready' || (isPassing(progress) && ready > 0 && isProgrammed(gateway)))
    return { isDone: true, reason: 'Programmed', message: 'The Pods run the configuration of this Gateway.' };
  const { state, reason, message } = progress;
  const isPending = state === 'progressing' && reason !== 'EndpointsNotReady';
  return { isDone: false, reason: isPending ? 'Pending' : reason, message };
}

/**
 * Whether clients notice nothing of `progress` as long as one Pod is ready: endpoints of backends change all the time, and Pods
 * are replaced one by one. A new spec is another matter, which {@link isProgrammed} covers.
 */
function isPassing({ state, reason }: Rollout): boolean {
  return state === 'progressing' && (reason === 'ConfigPending' || reason === 'PodsNotReady');
}

/** Whether the status reports that the current spec is programmed. */
function isProgrammed({ metadata, status }: Gateway): boolean {
  return (status?.conditions ?? []).some(
    ({ type, status: is, observedGeneration }) =>
      type === 'Programmed' && is === 'True' && observedGeneration === metadata.generation,
  );
}

function addressProgress(
  gateway: Gateway,
  service: V1Service | undefined,
  addresses: readonly GatewayAddress[],
): Progress {
  const { name = '' } = service?.metadata ?? {};
  if (addresses.length === 0) {
    const message =
      service === undefined
        ? 'The Service does not exist yet.'
        : `Service "${name}" of type ${service.spec?.type ?? ''} has no address: is there a load balancer in this cluster? See "kubectl describe service ${name}".`;
    return { isDone: false, reason: 'AddressNotAssigned', message };
  }
  const assigned = new Set(addresses.map(({ value = '' }) => canonical(value)));
  const lacking = requestedAddresses(gateway).filter((address) => !assigned.has(canonical(address)));
  if (lacking.length > 0) {
    const message = `Service "${name}" did not get ${lacking.join(', ')} of spec.addresses: ask the load balancer for an address that it has, or remove it.`;
    return { isDone: false, reason: 'AddressNotUsable', message };
  }
  return { isDone: true, reason: 'Programmed', message: 'The Pods run the configuration of this Gateway.' };
}

function canonical(address: string): string {
  return parseIpAddress(address)?.text ?? address;
}
