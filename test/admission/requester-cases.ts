import type { EndpointSpec } from '../../src/api/schema/endpoint.ts';
import type { RealmRelay, RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { endpoint, realmRelay } from '../support/realm-relays.ts';
import type { Rule } from './users.ts';

/** An image that is not the operator's. */
export const image = 'example.com/anything:1';

export const createPods: Rule = { apiGroups: [''], resources: ['pods'], verbs: ['create'] };
export const createServices: Rule = { apiGroups: [''], resources: ['services'], verbs: ['create'] };
export const createNetworkPolicies: Rule = {
  apiGroups: ['networking.k8s.io'],
  resources: ['networkpolicies'],
  verbs: ['create'],
};

/** The right to get the Secrets with these names, or all Secrets without a name. */
export function getSecrets(...resourceNames: string[]): Rule {
  const rule = { apiGroups: [''], resources: ['secrets'], verbs: ['get'] };
  return resourceNames.length === 0 ? rule : { ...rule, resourceNames };
}

/** Fields of a RealmRelay that require a right, with the right and the error without it, in which NS is the namespace. */
export const cases: { what: string; relay: RealmRelay; right: Rule; refusal: string }[] = [
  {
    what: 'an image',
    relay: realmRelay(undefined, { image }),
    right: createPods,
    refusal: `spec.image "${image}": you may not create pods in namespace "NS", and an image runs as one: remove it, or ask for the right to create pods`,
  },
  {
    what: 'a service account',
    relay: withPod({ serviceAccountName: 'deployer' }),
    right: createPods,
    refusal:
      'spec.podTemplate.spec.serviceAccountName "deployer": you may not create pods in namespace "NS": remove it, or ask for the right to create pods',
  },
  {
    what: 'a pull secret',
    relay: withPod({ imagePullSecrets: [{ name: 'other-team' }] }),
    right: createPods,
    refusal: 'spec.podTemplate.spec.imagePullSecrets: you may not create pods in namespace "NS": remove it',
  },
  {
    what: 'a priority class',
    relay: withPod({ priorityClassName: 'system-node-critical' }),
    right: createPods,
    refusal:
      'spec.podTemplate.spec.priorityClassName "system-node-critical": you may not create pods in namespace "NS": remove it, or ask for the right to create pods',
  },
  {
    what: 'a toleration of everything',
    relay: withPod({ tolerations: [{ operator: 'Exists' }] }),
    right: createPods,
    refusal: 'spec.podTemplate.spec.tolerations, of every taint: you may not create pods in namespace "NS"',
  },
  {
    what: 'a toleration',
    relay: withPod({ tolerations: [{ key: 'dedicated', operator: 'Exists' }] }),
    right: createPods,
    refusal: 'spec.podTemplate.spec.tolerations, of taint "dedicated": you may not create pods',
  },
  {
    what: 'a label with which a Service of another team could select the Pods',
    relay: realmRelay(undefined, { podTemplate: { metadata: { labels: { app: 'payments' } } } }),
    right: createPods,
    refusal:
      'spec.podTemplate.metadata.labels["app"]: you may not create pods in namespace "NS", which a Service or a controller may obey by this key: use a key that begins with realm-operator.dev/, or ask for the right to create pods',
  },
  {
    what: 'an annotation of the Pods',
    relay: realmRelay(undefined, {
      podTemplate: { metadata: { annotations: { 'example.com/inject': 'y' } } },
    }),
    right: createPods,
    refusal: 'spec.podTemplate.metadata.annotations["example.com/inject"]: you may not create pods',
  },
  {
    what: 'an annotation of the Service',
    relay: realmRelay(undefined, {
      service: { annotations: { 'external-dns.alpha.kubernetes.io/hostname': 'www.example.com' } },
    }),
    right: createServices,
    refusal:
      'spec.service.annotations["external-dns.alpha.kubernetes.io/hostname"]: you may not create services in namespace "NS"',
  },
  {
    what: 'a label of the Service',
    relay: realmRelay(undefined, { service: { labels: { release: 'prometheus' } } }),
    right: createServices,
    refusal: 'spec.service.labels["release"]: you may not create services in namespace "NS"',
  },
  {
    what: 'a NetworkPolicy',
    relay: realmRelay(undefined, { networkPolicy: { enabled: true } }),
    right: createNetworkPolicies,
    refusal:
      'spec.networkPolicy.enabled: you may not create networkpolicies.networking.k8s.io in namespace "NS": set it to false, or ask for that right',
  },
  ...secretFields('web-tls').map(({ field, relay }) => ({
    what: field,
    relay,
    right: getSecrets('web-tls'),
    refusal: `spec.endpoints["https"].${field}: you may not get secret "web-tls" in namespace "NS", which the relay would use for you: name another, or ask for the right to get it`,
  })),
];

/** A RealmRelay for each field that names a Secret, with the Secret `name` in that field. */
export function secretFields(name: string): { field: string; relay: RealmRelay }[] {
  const serverName = 'backend.example.com';
  const choices: Record<string, Partial<EndpointSpec>> = {
    'listenTransport.tls.secretName': { listenTransport: { tls: { secretName: name } } },
    'listenTransport.tls.clientCASecretName': {
      listenTransport: { tls: { secretName: 'free', clientCASecretName: name } },
    },
    'remoteTransport.tls.caSecretName': { remoteTransport: { tls: { serverName, caSecretName: name } } },
    'remoteTransport.tls.clientSecretName': {
      remoteTransport: { tls: { serverName, clientSecretName: name } },
    },
  };
  return Object.entries(choices).map(([field, choice]) => ({ field, relay: realmRelay([endpoint(choice)]) }));
}

/** A RealmRelay with `spec` in its Pod template. */
export function withPod(spec: NonNullable<NonNullable<RealmRelaySpec['podTemplate']>['spec']>): RealmRelay {
  return realmRelay(undefined, { podTemplate: { spec } });
}
