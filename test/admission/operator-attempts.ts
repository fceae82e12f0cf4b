type Json = Record<string, unknown>;
/** An object to apply. */
export type Manifest = Json & { kind: string; metadata: Json & { name: string } };

/** The label with which a namespace allows hostNetwork. */
export const hostNetworkLabel = 'realm-operator.dev/allow-host-network';

/** `base`, overridden by `change`: maps are merged, and null removes a field. */
export function changed(base: unknown, change: unknown): unknown {
  if (typeof change !== 'object' || change === null || Array.isArray(change)) return change;
  const from = typeof base === 'object' && base !== null && !Array.isArray(base) ? (base as Json) : {};
  const merged = { ...from };
  for (const [key, value] of Object.entries(change)) merged[key] = changed(from[key], value);
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}

/** A change of the Pod template's spec. */
export function inPod(spec: Json): Json {
  return { spec: { template: { spec } } };
}

function podOf(workload: Manifest): { readonly containers: [Json]; readonly volumes: readonly Json[] } {
  return (workload['spec'] as { template: { spec: { containers: [Json]; volumes: Json[] } } }).template.spec;
}

/** Adds a volume to those of the workload. */
export function withVolume(volume: Json): (workload: Manifest) => Json {
  return (workload) => inPod({ volumes: [...podOf(workload).volumes, volume] });
}

/** A change of the only container, which is written as a whole, and of the rest of the Pod. */
function inContainer(change: Json, pod: Json = {}): (workload: Manifest) => Json {
  return (workload) => inPod({ ...pod, containers: [changed(podOf(workload).containers[0], change)] });
}

function security(securityContext: Json, pod: Json = {}): ReturnType<typeof inContainer> {
  return inContainer({ securityContext }, pod);
}

const adminOnNode = { ports: [{ name: 'admin', containerPort: 9465, hostPort: 9465 }] };

type Attempt = {
  readonly what: string;
  readonly kind: string;
  readonly change: Json | ((object: Manifest) => Json);
  readonly refusal: string;
};

/** Removes our label. */
export const unlabelled = { metadata: { labels: { 'app.kubernetes.io/managed-by': null } } };
const notOwned = 'is not named after a RealmRelay or Gateway that controls it';
const others = 'selects other Pods than those of its owner';
/** A volume with the node's whole file system. */
export const hostRoot = { name: 'a', hostPath: { path: '/' } };
const token = { name: 'a', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } };
const allKeys = { name: 'a', secret: { secretName: 'admin' } };
const tokenKey = { name: 'a', secret: { secretName: 'admin', items: [{ key: 'token', path: 'token' }] } };

/** Attacks with a stolen token of the operator, each as a change of an object that the operator would write. */
export const attempts: readonly Attempt[] = [
  {
    what: 'a privileged DaemonSet',
    kind: 'DaemonSet',
    change: security({ privileged: true, allowPrivilegeEscalation: null }),
    refusal: 'container "relay": securityContext.privileged is true',
  },
  {
    what: 'a Deployment without our label',
    kind: 'Deployment',
    change: unlabelled,
    refusal: 'does not have the label app.kubernetes.io/managed-by: realm-operator',
  },
  { what: 'a ConfigMap without our label', kind: 'ConfigMap', change: unlabelled, refusal: 'managed-by' },
  {
    what: 'a DaemonSet without an owner',
    kind: 'DaemonSet',
    change: { metadata: { ownerReferences: null } },
    refusal: notOwned,
  },
  {
    what: 'a ConfigMap that is not named after its RealmRelay',
    kind: 'ConfigMap',
    change: { metadata: { name: 'coredns' } },
    refusal: notOwned,
  },
  {
    what: 'a Deployment that a Deployment owns',
    kind: 'Deployment',
    change: ({ metadata }) => ({
      metadata: {
        ownerReferences: [
          { ...(metadata['ownerReferences'] as [Json])[0], apiVersion: 'apps/v1', kind: 'Deployment' },
        ],
      },
    }),
    refusal: notOwned,
  },
  {
    what: 'a hostPath',
    kind: 'Deployment',
    change: withVolume(hostRoot),
    refusal: 'volume "a" is neither',
  },
  {
    what: 'the token of a service account',
    kind: 'Deployment',
    change: withVolume(token),
    refusal: 'volume "a" is neither',
  },
  {
    what: 'a whole Secret',
    kind: 'Deployment',
    change: withVolume(allKeys),
    refusal: 'volume "a" is neither',
  },
  {
    what: 'a key of a Secret that is not a certificate',
    kind: 'Deployment',
    change: withVolume(tokenKey),
    refusal: 'volume "a" is neither',
  },
  { what: 'hostPID', kind: 'DaemonSet', change: inPod({ hostPID: true }), refusal: 'hostPID is true' },
  { what: 'hostIPC', kind: 'DaemonSet', change: inPod({ hostIPC: true }), refusal: 'hostIPC is true' },
  {
    what: 'hostNetwork',
    kind: 'DaemonSet',
    change: inContainer(adminOnNode, { hostNetwork: true, securityContext: { sysctls: null } }),
    refusal: `does not have the label ${hostNetworkLabel}: "true"`,
  },
  {
    what: 'a hostPort',
    kind: 'Deployment',
    change: inContainer(adminOnNode),
    refusal: `does not have the label ${hostNetworkLabel}: "true"`,
  },
  {
    what: 'a mounted token',
    kind: 'Deployment',
    change: inPod({ automountServiceAccountToken: null }),
    refusal: 'automountServiceAccountToken is not false',
  },
  {
    what: 'a device',
    kind: 'Deployment',
    change: inPod({ resourceClaims: [{ name: 'a', resourceClaimName: 'a' }] }),
    refusal: 'resourceClaims are set',
  },
  ...(
    [
      [{ runAsNonRoot: null }, 'runAsNonRoot is not true'],
      [{ runAsUser: 0 }, 'runAsUser is 0'],
      [{ seccompProfile: { type: 'Unconfined' } }, 'seccompProfile.type is not RuntimeDefault'],
      [{ seccompProfile: null }, 'seccompProfile.type is not RuntimeDefault'],
      [{ appArmorProfile: { type: 'Unconfined' } }, 'appArmorProfile.type is Unconfined'],
      [{ seLinuxOptions: { type: 'spc_t' } }, 'seLinuxOptions are set'],
      [{ windowsOptions: { runAsUserName: 'a' } }, 'windowsOptions are set'],
      [{ sysctls: [{ name: 'kernel.msgmax', value: '1' }] }, 'sysctls has more than'],
    ] as const
  ).map(([securityContext, refusal]) => ({
    what: `a Pod with ${JSON.stringify(securityContext)}`,
    kind: 'Deployment',
    change: inPod({ securityContext }),
    refusal: `spec.template: securityContext.${refusal}`,
  })),
  ...(
    [
      [{ allowPrivilegeEscalation: true }, 'allowPrivilegeEscalation is not false'],
      [{ capabilities: { drop: null } }, 'capabilities.drop is not ALL'],
      [{ capabilities: { add: ['NET_RAW'] } }, 'capabilities.add is set'],
      [{ runAsNonRoot: false }, 'runAsNonRoot is false'],
      [{ runAsUser: 0 }, 'runAsUser is 0'],
      [{ seccompProfile: { type: 'Unconfined' } }, 'seccompProfile.type is not RuntimeDefault'],
      [{ appArmorProfile: { type: 'Unconfined' } }, 'appArmorProfile.type is Unconfined'],
      [{ seLinuxOptions: { type: 'spc_t' } }, 'seLinuxOptions are set'],
      [{ windowsOptions: { runAsUserName: 'a' } }, 'windowsOptions are set'],
    ] as const
  ).map(([securityContext, refusal]) => ({
    what: `a container with ${JSON.stringify(securityContext)}`,
    kind: 'DaemonSet',
    change: security(securityContext),
    refusal: `container "relay": securityContext.${refusal}`,
  })),
  {
    what: 'a Secret in the environment',
    kind: 'Deployment',
    change: inContainer({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } }] }),
    refusal: 'env takes a key of a Secret',
  },
  {
    what: 'a Secret as the environment',
    kind: 'Deployment',
    change: inContainer({ envFrom: [{ secretRef: { name: 'a' } }] }),
    refusal: 'envFrom takes a Secret',
  },
  {
    what: 'an unmasked /proc',
    kind: 'Deployment',
    change: security({ procMount: 'Unmasked' }, { hostUsers: false }),
    refusal: 'container "relay": securityContext.procMount is not Default',
  },
  {
    what: 'a probe of another host',
    kind: 'Deployment',
    change: inContainer({ livenessProbe: { httpGet: { host: '169.254.169.254' } } }),
    refusal: 'a probe names a host',
  },
  {
    what: 'a hook that sends requests to another host',
    kind: 'Deployment',
    change: inContainer({ lifecycle: { postStart: { httpGet: { host: '169.254.169.254', port: 80 } } } }),
    refusal: 'lifecycle names a host',
  },
  {
    what: 'an init container',
    kind: 'Deployment',
    change: inPod({ initContainers: [{ name: 'init', image: 'a', securityContext: { privileged: true } }] }),
    refusal: 'container "init": securityContext.privileged is true',
  },
  {
    what: 'the annotation that turns AppArmor off',
    kind: 'Deployment',
    change: {
      spec: {
        template: {
          metadata: { annotations: { 'container.apparmor.security.beta.kubernetes.io/relay': 'unconfined' } },
        },
      },
    },
    refusal: 'container.apparmor.security.beta.kubernetes.io/relay is set',
  },
  {
    what: 'a Service for the Pods of others',
    kind: 'Service',
    change: { spec: { selector: { 'app.kubernetes.io/instance': 'payments' } } },
    refusal: others,
  },
  {
    what: 'a Service without a selector',
    kind: 'Service',
    change: { spec: { selector: null } },
    refusal: others,
  },
  {
    what: 'a Service with an external IP address',
    kind: 'Service',
    change: { spec: { externalIPs: ['192.0.2.1'] } },
    refusal: 'has externalIPs or is an ExternalName',
  },
  {
    what: 'a Service of type ExternalName',
    kind: 'Service',
    change: { spec: { type: 'ExternalName', externalName: 'example.com', ipFamilyPolicy: null } },
    refusal: 'has externalIPs or is an ExternalName',
  },
  {
    what: 'a NetworkPolicy for everyone',
    kind: 'NetworkPolicy',
    change: { spec: { podSelector: { matchLabels: null } } },
    refusal: others,
  },
  {
    what: 'a PodDisruptionBudget for the Pods of others',
    kind: 'PodDisruptionBudget',
    change: { spec: { selector: { matchLabels: { 'app.kubernetes.io/managed-by': 'Helm' } } } },
    refusal: others,
  },
  {
    what: 'an autoscaler of another Deployment',
    kind: 'HorizontalPodAutoscaler',
    change: { spec: { scaleTargetRef: { name: 'coredns' } } },
    refusal: 'scales Deployment "coredns", which is not that of its owner',
  },
];
