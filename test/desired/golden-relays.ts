import type { Relay } from '../../src/api/relay.ts';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { endpoint, parsed, realmRelay } from '../support/realm-relays.ts';

/** The case that this project exists for. */
export const sideBySide = [
  endpoint({ name: 'https-v6', address: '::', network: { ipv6Only: true } }),
  endpoint({ name: 'https-v4', address: '0.0.0.0', remotes: [{ address: '192.0.2.1', port: 8443 }] }),
];

const byTeam = { matchLabels: { team: 'edge', plain: '' } };
const outsideTeam = { matchExpressions: [{ key: 'team', operator: 'NotIn' as const, values: ['edge'] }] };
const byZone = { topologyKey: 'topology.kubernetes.io/zone', labelSelector: byTeam };

/** Every field of a Pod template. */
const everyPodField: NonNullable<RealmRelaySpec['podTemplate']> = {
  metadata: {
    labels: { team: 'edge', 'app.kubernetes.io/name': 'ours-wins', 'app.kubernetes.io/version': 'yours' },
    annotations: { 'example.com/note': 'kept', 'realm-operator.dev/config-hash': 'ours-wins' },
  },
  spec: {
    nodeSelector: { 'kubernetes.io/os': 'linux', 'example.com/edge': '' },
    tolerations: [
      { key: 'edge', operator: 'Equal', value: '', effect: 'NoExecute', tolerationSeconds: 0 },
      { operator: 'Exists' },
    ],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            {
              matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['2'] }],
              matchFields: [{ key: 'metadata.name', operator: 'NotIn', values: ['node-a'] }],
            },
          ],
        },
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 1,
            preference: {
              matchExpressions: [{ key: 'ssd', operator: 'Exists', values: [] }],
              matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-b'] }],
            },
          },
        ],
      },
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { ...byZone, namespaceSelector: {}, matchLabelKeys: ['pod-template-hash'] },
          { ...byZone, namespaces: ['edge'], mismatchLabelKeys: ['team'] },
        ],
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 100, podAffinityTerm: { ...byZone, namespaces: ['edge'] } },
          {
            weight: 2,
            podAffinityTerm: { ...byZone, namespaceSelector: byTeam, matchLabelKeys: ['pod-template-hash'] },
          },
        ],
      },
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ ...byZone, namespaceSelector: outsideTeam }],
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 50, podAffinityTerm: { ...byZone, mismatchLabelKeys: ['team'], namespaces: [] } },
        ],
      },
    },
    topologySpreadConstraints: [
      {
        maxSkew: 2,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'DoNotSchedule',
        minDomains: 2,
        matchLabelKeys: ['pod-template-hash'],
        nodeAffinityPolicy: 'Honor',
        nodeTaintsPolicy: 'Honor',
      },
      {
        maxSkew: 1,
        topologyKey: 'topology.kubernetes.io/zone',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: {
          matchExpressions: [{ key: 'team', operator: 'In', values: ['edge', 'ops'] }],
        },
      },
    ],
    priorityClassName: 'system-cluster-critical',
    imagePullSecrets: [{ name: 'registry' }, { name: 'mirror' }],
    serviceAccountName: 'relay',
  },
};

/** RealmRelays as users write them; each becomes `test/golden/<name>.yaml`. */
export const goldenRelayManifests = {
  'one-endpoint': realmRelay(),
  'side-by-side': realmRelay(sideBySide, { replicas: 2 }),
  'ipv6-only': realmRelay([endpoint()], { network: { ipv6Only: true } }),
  'tcp-and-udp': realmRelay([
    endpoint({ name: 'dns', port: 53, network: { udp: true, udpTimeoutSeconds: 5 } }),
  ]),
  'every-field': realmRelay(
    [
      endpoint({
        name: 'weighted',
        address: '::ffff:192.0.2.9',
        port: 8080,
        balance: 'IPHash',
        remotes: [
          { address: '2001:DB8:0::1', port: 80, weight: 4 },
          { address: 'backend', port: 81 },
          { address: '192.0.2.2', port: 82, weight: 0 },
        ],
      }),
      endpoint({
        name: 'preferred',
        address: '2001:db8::9',
        port: 8080,
        balance: 'Failover',
        remotes: [
          { address: 'first', port: 80 },
          { address: 'second', port: 80 },
        ],
        network: {
          tcp: false,
          udp: true,
          tcpIdleTimeoutSeconds: 600,
          tcpHalfCloseTimeoutSeconds: 60,
          tcpUserTimeoutSeconds: 90,
          dscp: 46,
          maxConnections: 1000,
          maxWaiting: 0,
        },
      }),
      endpoint({
        name: 'least',
        address: '192.0.2.9',
        port: 9090,
        balance: 'LeastConnections',
        through: '2001:DB8::9',
        healthCheck: { intervalSeconds: 5, timeoutSeconds: 1, unhealthyThreshold: 2, healthyThreshold: 3 },
        remotes: [
          { address: 'first', port: 80, weight: 2 },
          { address: 'second', port: 80 },
        ],
      }),
    ],
    {
      replicas: 3,
      network: { tcpTimeoutSeconds: 0, tcpKeepaliveSeconds: 60, tcpKeepaliveProbes: 9, udpTimeoutSeconds: 0 },
      service: {
        type: 'LoadBalancer',
        ipFamilies: ['IPv6', 'IPv4'],
        ipFamilyPolicy: 'RequireDualStack',
        recreatePolicy: 'WhenNeeded',
        annotations: { 'example.com/scheme': 'internal' },
        labels: { team: 'edge', 'app.kubernetes.io/name': 'ours-wins' },
        externalTrafficPolicy: 'Local',
        loadBalancerClass: 'example.com/internal',
        loadBalancerSourceRanges: ['192.0.2.0/24', '2001:db8::/32'],
        sessionAffinity: 'ClientIP',
        nodePorts: { weighted: 30_443 },
      },
      image: 'example.com/own-relay:1',
      resources: { limits: { memory: '1024Mi' }, requests: { cpu: '1000m', memory: '64Mi' } },
      podTemplate: everyPodField,
      commonMetadata: {
        labels: { team: 'common-loses', 'cost-center': '42', 'app.kubernetes.io/version': 'ours-wins' },
        annotations: { 'example.com/owner': 'edge', 'realm-operator.dev/config-hash': 'ours-wins' },
      },
      workload: {
        kind: 'Deployment',
        hostNetwork: true,
        rollingUpdate: { maxSurge: 1, maxUnavailable: '50%' },
      },
      podDisruptionBudget: { maxUnavailable: '25%' },
      networkPolicy: {
        enabled: true,
        allowFrom: [
          { ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.128/25'] } },
          { ipBlock: { cidr: '2001:db8::/32', except: [] } },
          { namespaceSelector: {}, podSelector: byTeam },
          { podSelector: {} },
          { podSelector: outsideTeam },
        ],
      },
      logLevel: 'debug',
      workers: 4,
      drainSeconds: 300,
      updateStrategy: 'Rollout',
    },
  ),
  'proxy-protocol': realmRelay(
    [
      endpoint({
        name: 'in-and-out',
        network: {
          allowedSources: ['198.51.100.0/24'],
          acceptProxy: { trustedSources: ['2001:db8::/32', '192.0.2.1'] },
        },
      }),
      endpoint({
        name: 'out',
        port: 444,
        network: { sendProxy: { version: 1 }, acceptProxy: { enabled: false } },
      }),
    ],
    { network: { sendProxy: { enabled: true }, acceptProxy: { enabled: true, timeoutSeconds: 3 } } },
  ),
  'network-policy': realmRelay(sideBySide, { networkPolicy: { enabled: true } }),
  'daemon-set': realmRelay([endpoint()], { workload: { kind: 'DaemonSet' } }),
  'daemon-set-on-nodes': realmRelay(sideBySide, { workload: { kind: 'DaemonSet', hostNetwork: true } }),
  autoscaled: realmRelay([endpoint()], {
    autoscaling: { minReplicas: 1, maxReplicas: 10, targetCPUUtilizationPercentage: 70 }, // with 2 it would act at once
    resources: { requests: { cpu: '100m' } },
    podDisruptionBudget: {},
  }),
  ranges: realmRelay([
    endpoint({
      name: 'media',
      port: 30_000,
      endPort: 30_002,
      balance: 'IPHash',
      remotes: [
        { address: 'backend.example.com', port: 40_000 },
        { address: '2001:db8::1', port: 5000, fixedPort: true },
      ],
      healthCheck: { udp: { send: 'status\\n', expect: '\\xff ok' } },
      network: {
        udp: true,
        maxConnections: 100,
        maxConnectionsPerClient: 20,
        allowedSources: ['203.0.113.0/24', '2001:db8::/32'],
        sendProxy: { enabled: true, udp: true, everyDatagram: true },
      },
    }),
    endpoint({ name: 'one', endPort: 443 }),
  ]),
  'range-on-nodes': realmRelay([endpoint({ port: 8000, endPort: 8002, network: { udp: true } })], {
    workload: { kind: 'DaemonSet', hostNetwork: true },
    networkPolicy: { enabled: true },
  }),
  'large-range-on-nodes': realmRelay(
    [
      endpoint({
        name: 'rtp',
        port: 20_000,
        endPort: 29_999,
        remotes: [
          { address: 'media.example.com', port: 40_000 },
          { address: '2001:db8::1', port: 5000, fixedPort: true },
        ],
        network: { tcp: false, udp: true },
      }),
      endpoint({ name: 'sip', port: 5060, network: { udp: true } }),
    ],
    {
      service: { enabled: false },
      workload: { kind: 'DaemonSet', hostNetwork: true },
      networkPolicy: { enabled: true },
    },
  ),
  'no-topology-spread': realmRelay([endpoint()], {
    podTemplate: { spec: { topologySpreadConstraints: [] } },
  }),
  transports: realmRelay([
    endpoint({
      name: 'tls',
      listenTransport: { tls: { secretName: 'web-tls', alpn: ['h2'] } },
      remoteTransport: {
        tls: { serverName: 'backend.example.com', caSecretName: 'web-tls', alpn: ['h2', 'x'] },
      },
    }),
    endpoint({
      name: 'mutual',
      port: 444,
      listenTransport: {
        tls: { secretName: 'a.long.name', clientCASecretName: 'clients' },
        webSocket: { host: 'a.example:444', path: '/x?y=z', pingIntervalSeconds: 20, pingTimeoutSeconds: 5 },
      },
      remoteTransport: {
        tls: { serverName: '2001:db8::1', clientSecretName: 'own', insecure: true },
        webSocket: { host: 'b.example', path: '/' },
      },
    }),
    endpoint({ name: 'ws', port: 445, listenTransport: { webSocket: { host: 'c.example', path: '/' } } }),
  ]),
  sni: realmRelay(
    [
      endpoint({ name: 'a', sni: { hosts: ['a.example', '*.b.example'] } }),
      endpoint({
        name: 'own',
        sni: { hosts: ['c.example'] },
        listenTransport: { tls: { secretName: 'c-tls' } },
      }),
      endpoint({ name: 'others', sni: {} }),
    ],
    { networkPolicy: { enabled: true } },
  ),
  'no-service': realmRelay([endpoint()], { service: { enabled: false } }),
};

/** The same, parsed. */
export const goldenRelays: Readonly<Record<string, Relay>> = Object.fromEntries(
  Object.entries(goldenRelayManifests).map(([name, manifest]) => [name, parsed(manifest)]),
);
