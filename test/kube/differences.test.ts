import { expect } from 'chai';
import { differences } from '../../src/kube/differences.ts';
import type { KubeObject } from '../../src/kube/object.ts';

const kinds: Readonly<Record<string, string>> = {
  Deployment: 'apps/v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  Service: 'v1',
  Unknown: 'example.com/v1',
};

type Case = { kind: string; desired: unknown; observed: unknown; paths: string[]; why: string };

function withSpec(kind: string, spec: unknown): KubeObject {
  const object = { apiVersion: kinds[kind] ?? '', kind, metadata: { name: 'a' }, spec };
  return object;
}

/** A case about the Pod spec of a Deployment. */
function ofPod({ desired, observed, paths, why }: Omit<Case, 'kind'>): Case {
  const within = (spec: unknown): unknown => ({ template: { spec } });
  const prefixed = paths.map((path) => `.spec.template${path}`);
  return { kind: 'Deployment', desired: within(desired), observed: within(observed), paths: prefixed, why };
}

const term = { matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] };
const spread = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' };
const peer = { podSelector: { matchLabels: { app: 'client' } } };

describe('differences', () => {
  const cases: Case[] = [
    ...(['Unknown', 'Deployment'] as const).flatMap((kind): Case[] => [
      { kind, desired: { a: 1 }, observed: { a: 1, b: 2 }, paths: [], why: 'a field of others' },
      { kind, desired: { a: 1 }, observed: { a: 2 }, paths: ['.spec.a'], why: 'another value' },
      { kind, desired: { a: 1 }, observed: {}, paths: ['.spec.a'], why: 'a field that is missing' },
      { kind, desired: { a: undefined }, observed: {}, paths: [], why: 'undefined is not sent' },
      {
        kind,
        desired: { a: {} },
        observed: { a: { b: 1 } },
        paths: [],
        why: 'an empty map wants nothing in particular',
      },
      { kind, desired: { a: {} }, observed: {}, paths: ['.spec.a'], why: 'but it wants to be there' },
      { kind, desired: { a: '1' }, observed: { a: 1 }, paths: ['.spec.a'], why: 'text is no number' },
      { kind, desired: { a: [1] }, observed: { a: { b: 1 } }, paths: ['.spec.a'], why: 'a list is no map' },
      {
        kind,
        desired: { a: ['a', 'b'] },
        observed: { a: ['b', 'a'] },
        paths: ['.spec.a'],
        why: 'a list that is replaced as a whole has an order',
      },
      { kind, desired: { a: ['a'] }, observed: { a: ['a', 'b'] }, paths: ['.spec.a'], why: 'and a length' },
      {
        kind,
        desired: { a: [{ b: 1 }] },
        observed: { a: [{ b: 1, c: 2 }] },
        paths: ['.spec.a'],
        why: 'and its entries have no fields of others',
      },
    ]),
    {
      kind: 'Service',
      desired: { selector: { app: 'web' } },
      observed: { selector: { app: 'web', tier: 'canary' } },
      paths: ['.spec.selector'],
      why: 'a selector is replaced as a whole: a foreign label selects other Pods',
    },
    {
      kind: 'Service',
      desired: {
        ports: [
          { port: 53, protocol: 'UDP' },
          { port: 53, protocol: 'TCP' },
        ],
      },
      observed: { ports: [{ port: 53 }, { port: 53, protocol: 'UDP', nodePort: 30_053 }, { port: 80 }] },
      paths: ['.spec.ports[53/TCP].protocol'],
      why: 'ports merge by number and protocol, which is TCP by default',
    },
    {
      kind: 'Service',
      desired: { loadBalancerSourceRanges: ['192.0.2.0/24'] },
      observed: { loadBalancerSourceRanges: ['192.0.2.0/24', '0.0.0.0/0'] },
      paths: ['.spec.loadBalancerSourceRanges'],
      why: 'a foreign range admits others',
    },
    {
      kind: 'Deployment',
      desired: { selector: { matchLabels: { app: 'web' } } },
      observed: { selector: { matchLabels: { app: 'web' }, matchExpressions: [] } },
      paths: ['.spec.selector'],
      why: 'a LabelSelector is replaced as a whole',
    },
    {
      kind: 'NetworkPolicy',
      desired: { ingress: [{ from: [peer], ports: [{ port: 443, protocol: 'TCP' }] }] },
      observed: {
        ingress: [
          { from: [peer, { ipBlock: { cidr: '0.0.0.0/0' } }], ports: [{ port: 443, protocol: 'TCP' }] },
        ],
      },
      paths: ['.spec.ingress'],
      why: 'a foreign peer is admitted by a rule of ours',
    },
    {
      kind: 'NetworkPolicy',
      desired: { ingress: [{ ports: [{ port: 443, protocol: 'TCP' }] }] },
      observed: { ingress: [{ ports: [{ port: 443, protocol: 'TCP', endPort: 65_535 }] }] },
      paths: ['.spec.ingress'],
      why: 'so are more ports',
    },
    {
      kind: 'NetworkPolicy',
      desired: { podSelector: { matchLabels: { app: 'web' } } },
      observed: { podSelector: { matchLabels: { app: 'web', tier: 'canary' } } },
      paths: ['.spec.podSelector'],
      why: 'a narrower selector protects fewer Pods',
    },
    ofPod({
      desired: { containers: [{ name: 'relay', image: 'x' }] },
      observed: {
        containers: [{ name: 'sidecar' }, { name: 'relay', image: 'x', imagePullPolicy: 'Always' }],
      },
      paths: [],
      why: 'containers merge by name: foreign ones and defaults are left alone',
    }),
    ofPod({
      desired: { containers: [{ name: 'relay', image: 'x' }] },
      observed: { containers: [{ name: 'relay', image: 'y' }] },
      paths: ['.spec.containers[relay].image'],
      why: 'what differs in an entry is found',
    }),
    ofPod({
      desired: { containers: [{ name: 'relay', ports: [{ containerPort: 9, protocol: 'TCP', name: 'a' }] }] },
      observed: { containers: [{ name: 'relay', ports: [{ containerPort: 9, name: 'b' }] }] },
      paths: ['.spec.containers[relay].ports[9/TCP].protocol', '.spec.containers[relay].ports[9/TCP].name'],
      why: 'container ports, too',
    }),
    ofPod({
      desired: { containers: [{ name: 'relay', env: [{ name: 'A', value: '1' }] }] },
      observed: { containers: [{ name: 'relay', env: [] }] },
      paths: ['.spec.containers[relay].env[A]'],
      why: 'an entry that is missing',
    }),
    ofPod({
      desired: { nodeSelector: { zone: 'a' } },
      observed: { nodeSelector: { zone: 'a', disk: 'ssd' } },
      paths: ['.spec.nodeSelector'],
      why: 'a nodeSelector is replaced as a whole',
    }),
    ofPod({
      desired: {
        affinity: {
          nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } },
        },
      },
      observed: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ ...term, matchFields: [] }],
            },
          },
        },
      },
      paths: ['.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution'],
      why: 'a NodeSelector, too',
    }),
    ofPod({
      desired: { tolerations: [{ key: 'edge', operator: 'Exists' }] },
      observed: { tolerations: [{ key: 'edge', operator: 'Exists', effect: 'NoSchedule' }] },
      paths: ['.spec.tolerations'],
      why: 'a toleration that tolerates less',
    }),
    ofPod({
      desired: { topologySpreadConstraints: [{ ...spread, labelSelector: { matchLabels: { app: 'web' } } }] },
      observed: {
        topologySpreadConstraints: [
          { ...spread, whenUnsatisfiable: 'ScheduleAnyway' },
          { ...spread, minDomains: 2, labelSelector: { matchLabels: { app: 'web', tier: 'canary' } } },
        ],
      },
      paths: ['.spec.topologySpreadConstraints[zone/DoNotSchedule].labelSelector'],
      why: 'constraints merge by two keys, their selectors do not',
    }),
  ];
  for (const { kind, desired, observed, paths, why } of cases) {
    it(`${kind} ${JSON.stringify(desired)}: ${why}`, () => {
      const found = differences(withSpec(kind, desired), withSpec(kind, observed));
      expect(found.map(({ steps }) => steps.join(''))).to.deep.equal(paths);
    });
  }

  it('compares finalizers as a set, and owner references by uid', () => {
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: 'u', controller: true };
    const other = { ...owner, uid: 'v', controller: false };
    const object = (metadata: object): KubeObject => ({
      ...withSpec('Service', {}),
      metadata: { name: 'a', ...metadata },
    });
    const desired = object({ finalizers: ['b', 'a'], ownerReferences: [owner] });
    const observed = object({ finalizers: ['a', 'c', 'b'], ownerReferences: [other, owner] });
    expect(differences(desired, observed)).to.deep.equal([]);
    const changed = object({ finalizers: ['a'], ownerReferences: [{ ...owner, blockOwnerDeletion: true }] });
    expect(differences(desired, changed).map(({ steps }) => steps.join(''))).to.deep.equal([
      '.metadata.finalizers["b"]',
      '.metadata.ownerReferences[u]',
    ]);
  });
});
