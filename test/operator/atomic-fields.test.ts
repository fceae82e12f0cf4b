import { expect } from 'chai';
import { describeWithCluster } from '../cluster/shared.ts';
import { eventually } from '../support/eventually.ts';
import { Edge, type Seen, spec } from './edge.ts';
import { settledWrites } from './writes.ts';

const strategic = 'application/strategic-merge-patch+json';
const jsonPatch = 'application/json-patch+json';
const policies = '/apis/admissionregistration.k8s.io/v1';

/** With a field of each kind that the API server replaces as a whole. */
const relay = spec(8443, {
  service: { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.0.2.0/24'] },
  podDisruptionBudget: {},
  networkPolicy: { enabled: true, allowFrom: [{ podSelector: { matchLabels: { app: 'client' } } }] },
  autoscaling: { maxReplicas: 3 },
  podTemplate: {
    spec: {
      nodeSelector: { zone: 'a' },
      tolerations: [{ key: 'edge', operator: 'Exists' }],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'Exists' }] }],
          },
        },
      },
    },
  },
});

type Case = { object: string; patch: unknown; type?: string; why: string };

const canary = { tier: 'canary' };
const pod = (spec: object): object => ({ spec: { template: { spec } } });

const cases: Case[] = [
  { object: 'services/web', patch: { spec: { selector: canary } }, why: 'a Service selects other Pods' },
  {
    object: 'services/web',
    patch: { spec: { loadBalancerSourceRanges: ['192.0.2.0/24', '0.0.0.0/0'] } },
    why: 'a Service admits everyone',
  },
  {
    object: 'networkpolicies/web',
    patch: { spec: { podSelector: { matchLabels: canary } } },
    why: 'a NetworkPolicy selects other Pods',
  },
  {
    object: 'networkpolicies/web',
    patch: [{ op: 'add', path: '/spec/ingress/0/from/-', value: { ipBlock: { cidr: '0.0.0.0/0' } } }],
    type: jsonPatch,
    why: 'a NetworkPolicy admits another peer',
  },
  {
    object: 'networkpolicies/web',
    patch: [{ op: 'add', path: '/spec/ingress/0/ports/0/endPort', value: 65_535 }],
    type: jsonPatch,
    why: 'a NetworkPolicy admits more ports',
  },
  {
    object: 'poddisruptionbudgets/web',
    patch: { spec: { selector: { matchLabels: canary } } },
    why: 'a budget selects other Pods',
  },
  {
    object: 'horizontalpodautoscalers/web',
    patch: [{ op: 'add', path: '/spec/metrics/-', value: { type: 'Resource', resource: memory() } }],
    type: jsonPatch,
    why: 'an autoscaler goes by another metric, too',
  },
  { object: 'deployments/web', patch: pod({ nodeSelector: { disk: 'ssd' } }), why: 'Pods need other nodes' },
  {
    object: 'deployments/web',
    patch: [{ op: 'add', path: '/spec/template/spec/tolerations/0/effect', value: 'NoSchedule' }],
    type: jsonPatch,
    why: 'Pods tolerate less',
  },
  {
    object: 'deployments/web',
    patch: [
      {
        op: 'add',
        path: '/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchExpressions/-',
        value: { key: 'disk', operator: 'Exists' },
      },
    ],
    type: jsonPatch,
    why: 'a term of an affinity needs more',
  },
  {
    object: 'deployments/web',
    patch: [
      {
        op: 'add',
        path: '/spec/template/spec/topologySpreadConstraints/0/labelSelector/matchLabels/tier',
        value: 'canary',
      },
    ],
    type: jsonPatch,
    why: 'Pods are spread by other labels',
  },
];

function memory(): object {
  return { name: 'memory', target: { type: 'Utilization', averageUtilization: 50 } };
}

describeWithCluster('operator and fields that the API server replaces as a whole', (cluster) => {
  let edge: Edge;

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
    await edge.applyRelay('web', relay);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  afterEach(() => edge.stop());

  async function specs(objects: readonly string[]): Promise<string[]> {
    return Promise.all(objects.map(async (object) => JSON.stringify((await edge.expect(object)).spec)));
  }

  const objects = [...new Set(cases.map(({ object }) => object))];

  it('takes back each change of them, whoever made it', async () => {
    const before = await specs(objects);
    for (const { object, patch, type = 'application/merge-patch+json', why } of cases) {
      await edge.stop(); // so that the change is seen before it is taken back
      const { spec: changed } = await edge.write('PATCH', object, patch, type);
      expect(JSON.stringify(changed), why).not.to.equal(before[objects.indexOf(object)]);
      await edge.start();
      await eventually(why, async () => (await specs([object]))[0] === before[objects.indexOf(object)]);
    }
    expect(await specs(objects)).to.deep.equal(before);
  });

  it('leaves what others add beside them, and writes nothing for it', async () => {
    const labels = { metadata: { labels: canary } };
    for (const object of objects) await edge.write('PATCH', object, labels);
    const sidecar = { name: 'sidecar', image: 'registry.example/sidecar' };
    await edge.write('PATCH', 'deployments/web', pod({ containers: [sidecar] }), strategic);
    await edge.idle();
    await settledWrites(cluster());
    for (const object of objects)
      expect((await edge.expect(object)).metadata.labels, object).to.include(canary);
    const { spec: kept } = await edge.expect('deployments/web');
    expect(JSON.stringify(kept)).to.include('registry.example/sidecar');
  });

  it('does not write for ever what a webhook adds to them at every write', async () => {
    const name = `${edge.namespace}-tolerations`;
    const toleration = `[JSONPatch{op: "add", path: "/spec/template/spec/tolerations/-", value: Object.spec.template.spec.tolerations{key: "webhook", operator: "Exists"}}]`;
    const { text, status } = await cluster().request('POST', `${policies}/mutatingadmissionpolicies`, {
      metadata: { name },
      spec: {
        matchConstraints: {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': edge.namespace } },
          resourceRules: [
            {
              apiGroups: ['apps'],
              apiVersions: ['v1'],
              resources: ['deployments'],
              operations: ['CREATE', 'UPDATE'],
            },
          ],
        },
        matchConditions: [
          {
            name: 'lacks-it',
            expression: '!object.spec.template.spec.tolerations.exists(t, t.key == "webhook")',
          },
        ],
        reinvocationPolicy: 'Never',
        failurePolicy: 'Fail',
        mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: toleration } }],
      },
    });
    expect(status, text).to.equal(201);
    const bound = await cluster().request('POST', `${policies}/mutatingadmissionpolicybindings`, {
      metadata: { name },
      spec: { policyName: name },
    });
    expect(bound.status, bound.text).to.equal(201);
    const tolerates = ({ spec: seen }: Seen): boolean => JSON.stringify(seen).includes('webhook');
    await eventually('policy in force', async () =>
      tolerates(await edge.write('PATCH', 'deployments/web?dryRun=All', { spec: { paused: true } })),
    );
    await edge.applyRelay('web', { ...relay, image: 'registry.example/realm-relay:other' });
    await edge.expect('deployments/web', tolerates);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await edge.idle();
    const writes = await settledWrites(cluster());
    await edge.write('PATCH', 'deployments/web', { metadata: { labels: canary } });
    await edge.stop();
    await edge.start();
    await edge.idle();
    const after = await settledWrites(cluster());
    // The test's own, and from the new operator an apply with its event: it cannot know that this changes nothing.
    expect(after - writes).to.be.at.most(3);
    await cluster().request('DELETE', `${policies}/mutatingadmissionpolicybindings/${name}`);
    await cluster().request('DELETE', `${policies}/mutatingadmissionpolicies/${name}`);
  });
});
