import type {
  V1Container,
  V1Deployment,
  V1ObjectMeta,
  V1PodSpec,
  V1Probe,
  V1ResourceRequirements,
} from '@kubernetes/client-node';
import type { Relay, Resources } from '../api/relay.ts';
import { adminPort } from '../api/schema.ts';
import { configHash, configKey, configMapName } from './config-map.ts';
import { configHashAnnotation, objectMeta, podLabels, selectorLabels, type Desired } from './object-meta.ts';
import { canonicalQuantity } from './quantity.ts';
import { secretMounts, secretVolumes } from './transports.ts';

/** Seconds between the end of draining and the kill, for the relay to close what is left and to say so. */
const graceSeconds = 5;
/** How long a stopping Pod still accepts: kube-proxies and load balancers need that to send nobody there any more. */
const drainLagSeconds = 5;
const configFolder = '/etc/realm';

/**
 * The Deployment that runs `relay`.
 *
 * With updateStrategy HotReload the Pod template does not mention endpoints, but for the Secrets that they name: a
 * change of them reaches running Pods through the ConfigMap and restarts none. Its Pods meet the Pod Security Standard *restricted*.
 *
 * @param relayImage  image of the relay program, where the relay does not name one.
 */
export function deployment(relay: Relay, relayImage: string): Desired<V1Deployment> {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: objectMeta(relay, relay.metadata.name),
    spec: {
      replicas: relay.replicas,
      selector: { matchLabels: selectorLabels(relay) },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } },
      template: { metadata: podMeta(relay), spec: podSpec(relay, relayImage) },
    },
  };
}

function podMeta(relay: Relay): V1ObjectMeta {
  const labels = podLabels(relay);
  if (relay.updateStrategy === 'HotReload') return { labels };
  return { labels, annotations: { [configHashAnnotation]: configHash(relay) } };
}

function podSpec(relay: Relay, relayImage: string): V1PodSpec {
  const secrets = secretVolumes(relay);
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: drainLagSeconds + relay.drainSeconds + graceSeconds,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      ...(secrets.length > 0 && { fsGroup: 65_532 }), // which may read what is mounted of Secrets
      seccompProfile: { type: 'RuntimeDefault' },
      // A safe sysctl of the Pod's own network: any port may be bound without a capability.
      sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
    },
    containers: [container(relay, relayImage)],
    volumes: [{ name: 'config', configMap: { name: configMapName(relay) } }, ...secrets],
    topologySpreadConstraints: ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map(
      (topologyKey) => ({
        maxSkew: 1,
        topologyKey,
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: selectorLabels(relay) },
      }),
    ),
  };
}

function container(relay: Relay, relayImage: string): V1Container {
  return {
    name: 'relay',
    image: relay.image ?? relayImage,
    args: [
      'relay',
      `--config=${configFolder}/${configKey}`,
      `--admin=[::]:${String(adminPort)}`,
      `--drain-lag-seconds=${String(drainLagSeconds)}`,
      `--drain-seconds=${String(relay.drainSeconds)}`,
    ],
    ports: [{ name: 'admin', containerPort: adminPort, protocol: 'TCP' }],
    ...resources(relay.resources),
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

function probe(path: string, timing: Pick<V1Probe, 'periodSeconds' | 'failureThreshold'>): V1Probe {
  return { httpGet: { path, port: 'admin' }, timeoutSeconds: 2, ...timing };
}

/** Nothing empty is rendered: the API server would drop it, and each comparison would find a difference. */
function resources({ limits, requests }: Resources): { resources?: V1ResourceRequirements } {
  const rendered = Object.entries({ limits, requests })
    .filter(([, quantities]) => Object.keys(quantities).length > 0)
    .map(([name, quantities]) => [name, canonicalQuantities(quantities)]);
  return rendered.length === 0 ? {} : { resources: Object.fromEntries(rendered) as V1ResourceRequirements };
}

function canonicalQuantities(quantities: Resources['limits']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(quantities).map(([name, quantity]) => [name, canonicalQuantity(quantity)]),
  );
}
