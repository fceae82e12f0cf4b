import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import type { Helm } from '../cluster/helm.ts';

/** The folder of the chart. */
export const chart = join(import.meta.dirname, '..', '..', 'charts', 'realm-operator');

/** The namespace in which the tests render the chart, the same as that of config/. */
export const releaseNamespace = 'realm-operator-system';

/** An object as the chart renders it. */
export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
};

/** The objects that `helm template` renders with `values`, the hooks of `helm test` among them. */
export async function rendered(helm: Helm, values: object = {}): Promise<readonly Manifest[]> {
  const command = ['template', 'realm-operator', chart, '--namespace', releaseNamespace, '--values', '-'];
  return loadAll(await helm.runOrThrow(command, values)) as Manifest[];
}

/** The fields of a container that the tests read. */
export type Container = {
  readonly image: string;
  readonly args: readonly string[];
  readonly command: string[];
};

/** The first object of `kind`. @throws Error if there is none. */
export function find(manifests: readonly Manifest[], kind: string): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
}

/** The one container of the operator's Pod. */
export function operatorContainer(manifests: readonly Manifest[]): Container {
  const { spec } = find(manifests, 'Deployment') as unknown as {
    spec: { template: { spec: { containers: [Container] } } };
  };
  return spec.template.spec.containers[0];
}

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

/** The namespaces in `matrix`. */
export const watchedNamespaces = ['test-chart-a', 'test-chart-b'] as const;

/** Sets of values to render the chart with; together they set every value. */
export const matrix: Readonly<Record<string, object>> = {
  'the defaults': {},
  'some namespaces': { watchNamespaces: watchedNamespaces },
  'no Gateway API': { gatewayApi: { enabled: false } },
  'the Gateway API in some namespaces': {
    watchNamespaces: watchedNamespaces,
    gatewayApi: { enabled: true },
  },
  'destinations of its own that are denied': { deniedDestinations: ['10.0.0.0/8', '2001:db8::/32'] },
  'relays on the modules of Node.js': { relayEngine: 'node' },
  'no CRD': { crds: { enabled: false } },
  'no admission policies but the first': {
    admission: { requester: { enabled: false }, operator: { enabled: false } },
  },
  'hostNetwork everywhere': { admission: { operator: { hostNetwork: true } } },
  'more for everyone': {
    admission: {
      requester: {
        allowedKeyPrefixes: ['team.example.com/', 'cost-centre'],
        allowedPriorityClasses: ['edge', 'edge-low'],
        allowedTolerations: ['dedicated', 'example.com/edge'],
      },
    },
  },
  'a CRD that is not kept': { crds: { keep: false } },
  'objects that are there already': {
    serviceAccount: { create: false, name: 'mine' },
    rbac: { create: false, aggregateRoles: false },
  },
  'images by digest': {
    image: { repository: 'registry.example:5000/a/operator', digest, pullPolicy: 'Always' },
    relayImage: { repository: 'registry.example:5000/a/relay', digest },
    imagePullSecrets: [{ name: 'registry' }],
  },
  'an OpenShift with a registry of its own': {
    imageRegistry: 'registry.example:5000/mirror',
    omitUserIds: true,
    relayDefaults: {
      resources: { requests: { cpu: '10m' } },
      podTemplate: {
        spec: { imagePullSecrets: [{ name: 'registry' }] },
        metadata: { annotations: { note: `the edge's "own"` } },
      },
    },
  },
  'images by tag': { image: { tag: '1.2.3' }, relayImage: { tag: '1.2.2' }, fullnameOverride: 'relays' },
  'names and fields of its own': {
    nameOverride: 'relays',
    commonLabels: { 'example.com/team': 'edge' },
    extraArgs: ['--lease-seconds=30'],
    extraEnv: [{ name: 'HTTPS_PROXY', value: 'http://proxy.example:3128' }],
    volumes: [{ name: 'cache', emptyDir: { medium: 'Memory' } }],
    volumeMounts: [{ name: 'cache', mountPath: '/var/cache' }],
    podSecurityContext: { fsGroup: 65_532, runAsUser: 1000 },
    securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
  },
  monitoring: {
    metrics: {
      podMonitor: { enabled: true, labels: { release: 'prometheus' }, interval: '30s' },
      service: { enabled: true, annotations: { team: 'edge' } },
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' }, interval: '30s' },
      prometheusRule: {
        enabled: true,
        labels: { release: 'prometheus' },
        runbookUrl: 'https://runbooks.example/relays',
      },
      grafanaDashboard: { enabled: true, labels: { team: 'edge' }, namespace: watchedNamespaces[0] },
    },
  },
  'dashboards alone': { metrics: { grafanaDashboard: { enabled: true } } },
  'a ServiceMonitor alone': { metrics: { serviceMonitor: { enabled: true } } },
  'Pods to taste': {
    replicaCount: 0,
    logLevel: 'debug',
    serviceAccount: { annotations: { team: 'edge' } },
    podLabels: { team: 'edge' },
    podAnnotations: { team: 'edge' },
    priorityClassName: 'system-cluster-critical',
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'dedicated', operator: 'Exists' }],
    affinity: {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 1, preference: { matchExpressions: [{ key: 'arm', operator: 'DoesNotExist' }] } },
        ],
      },
    },
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'realm-operator' } },
      },
    ],
    resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '1Gi' } },
    podDisruptionBudget: { enabled: true, maxUnavailable: '50%' },
    networkPolicy: { enabled: true, from: [{ namespaceSelector: { matchLabels: { team: 'monitoring' } } }] },
  },
  'a NetworkPolicy for everyone': { networkPolicy: { enabled: true } },
  'nothing but the least': {
    resources: null,
    podLabels: null,
    tolerations: null,
    imagePullSecrets: [],
    podDisruptionBudget: { enabled: true },
  },
};

/**
 * A copy of the chart like a previous release: with another version, and without `spec.paused` in its CRD.
 *
 * @returns its folder, which the caller removes.
 */
export function olderChart(): string {
  const folder = mkdtempSync(join(tmpdir(), 'realm-operator-chart-'));
  cpSync(chart, folder, { recursive: true });
  edit(join(folder, 'Chart.yaml'), /^((?:appV|v)ersion): .*$/gm, '$1: 0.0.9');
  edit(join(folder, 'templates', 'crd.yaml'), /^ {16}paused:\n(?: {18}.*\n)+/m, '');
  return folder;
}

function edit(file: string, pattern: RegExp, replacement: string): void {
  const before = readFileSync(file, 'utf8');
  const after = before.replace(pattern, replacement);
  if (after === before) throw new Error(`${file} has nothing like ${pattern.source}`);
  writeFileSync(file, after);
}
