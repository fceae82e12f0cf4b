import { defaultPullPolicy } from '../lib/image-reference.ts';
import type {
  V1Container,
  V1EnvVar,
  V1Deployment,
  V1PodSpec,
  V1PodTemplateSpec,
  V1Probe,
  V1ResourceRequirements,
} from '@kubernetes/client-node';
import type { Relay, Resources } from '../api/relay.ts';
import { portPairs } from '../api/port-limits.ts';
import { withMemory } from '../api/resources.ts';
import { adminPort } from '../api/schema/endpoint.ts';
import { configKey, configMapName } from './config-map.ts';
import { objectMeta, selectorLabels, type Desired } from './object-meta.ts';
import { containerPorts, hostNetwork } from './host-network.ts';
import { podMeta, podPlacement } from './pod-additions.ts';
import type { RelayProgram } from './platform.ts';
import { canonicalQuantity } from './quantity.ts';
import { secretMounts, secretVolumes } from './transports.ts';

/** Seconds between the end of draining and the kill, in which the relay closes remaining connections and logs that. */
const graceSeconds = 5;
/** How long a stopping Pod still accepts connections, until kube-proxies and load balancers send it no new ones. */
const drainLagSeconds = 5;
/** A safe sysctl of the Pod's network: every port may be bound without a capability. */
const sysctls = [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }];
const configFolder = '/etc/realm';

/**
 * The Deployment that runs `relay`.
 *
 * With updateStrategy HotReload, the Pod template contains nothing of the endpoints but the Secrets that they name: changes
 * of endpoints reach running Pods through the ConfigMap and restart none. The Pods meet the Pod Security Standard
 * *restricted*. Neither is true on hostNetwork: the ports are declared, so that no node gets two Pods that need the same one.
 *
 * @param program  what its Pods run.
 */
export function deployment(relay: Relay, program: RelayProgram): Desired<V1Deployment> {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: objectMeta(relay, relay.metadata.name),
    spec: {
      // Left to the autoscaler, if there is one.
      ...(relay.autoscaling === undefined && { replicas: relay.replicas }),
      selector: { matchLabels: selectorLabels(relay) },
      strategy: { type: 'RollingUpdate', rollingUpdate: relay.workload.rollingUpdate },
      template: podTemplate(relay, program),
    },
  };
}

/** The Pod template of `relay`, for every kind of workload. */
export function podTemplate(relay: Relay, program: RelayProgram): V1PodTemplateSpec {
  return { metadata: podMeta(relay), spec: podSpec(relay, program) };
}

function podSpec(relay: Relay, program: RelayProgram): V1PodSpec {
  const secrets = secretVolumes(relay);
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: drainLagSeconds + relay.drainSeconds + graceSeconds,
    securityContext: {
      runAsNonRoot: true,
      ...(relay.omitUserIds === true ? {} : userIds(secrets.length > 0)),
      seccompProfile: { type: 'RuntimeDefault' },
      ...(relay.workload.hostNetwork ? {} : { sysctls }),
    },
    ...hostNetwork(relay),
    containers: [container(relay, program)],
    volumes: [{ name: 'config', configMap: { name: configMapName(relay) } }, ...secrets],
    ...podPlacement(relay),
  };
}

/** @param readsSecrets  whether the user must be able to read mounted Secrets. */
function userIds(readsSecrets: boolean): { runAsUser: number; runAsGroup: number; fsGroup?: number } {
  return { runAsUser: 65_532, runAsGroup: 65_532, ...(readsSecrets && { fsGroup: 65_532 }) };
}

function container(relay: Relay, { relayImage, relayEngine }: RelayProgram): V1Container {
  return {
    name: 'relay',
    image: relay.image ?? relayImage,
    imagePullPolicy: defaultPullPolicy(relay.image ?? relayImage),
    args: [
      'relay',
      `--config=${configFolder}/${configKey}`,
      `--admin=[::]:${String(adminPort)}`,
      `--drain-lag-seconds=${String(drainLagSeconds)}`,
      `--drain-seconds=${String(relay.drainSeconds)}`,
      ...(relay.workers === 1 ? [] : [`--workers=${String(relay.workers)}`]),
      ...(relayEngine === 'auto' ? [] : [`--engine=${relayEngine}`]), // a relay of an earlier version has no such flag
    ],
    // Who it is, for the relay's page.
    env: [
      fromPod('POD_NAME', 'metadata.name'),
      fromPod('POD_NAMESPACE', 'metadata.namespace'),
      { name: 'REALM_RELAY', value: `$(POD_NAMESPACE)/${relay.metadata.name}` }, // which Kubernetes expands
    ],
    ports: containerPorts(relay),
    ...resources(withMemory(canonical(relay.resources), portPairs(relay.endpoints))),
    startupProbe: probe('/livez', { periodSeconds: 1, failureThreshold: 60 }),
    livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 3 }),
    readinessProbe: probe('/readyz', { periodSeconds: 2, failureThreshold: 1 }),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    terminationMessagePolicy: 'FallbackToLogsOnError',
    // The folder, not the file: a file mounted by subPath is never refreshed.
    volumeMounts: [{ name: 'config', mountPath: configFolder, readOnly: true }, ...secretMounts(relay)],
  };
}

function fromPod(name: string, fieldPath: string): V1EnvVar {
  return { name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } };
}

function probe(path: string, timing: Pick<V1Probe, 'periodSeconds' | 'failureThreshold'>): V1Probe {
  return { httpGet: { path, port: 'admin' }, timeoutSeconds: 2, ...timing };
}

/** `resources` as the API server writes them; the default ones are written so. */
function canonical({ limits, requests }: Resources): Resources {
  return { limits: canonicalQuantities(limits), requests: canonicalQuantities(requests) };
}

/** Renders no empty list: the API server would drop it, and every comparison would find a difference. */
function resources(all: Resources): { resources?: V1ResourceRequirements } {
  const rendered = Object.entries(all).filter(([, quantities]) => Object.keys(quantities).length > 0);
  return rendered.length === 0 ? {} : { resources: Object.fromEntries(rendered) };
}

function canonicalQuantities(quantities: Resources['limits']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(quantities).map(([name, quantity]) => [name, canonicalQuantity(quantity)]),
  );
}
