import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import { sameJson } from '../../src/lib/same-json.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { eventually } from '../support/eventually.ts';
import { accountKubeConfig } from './account.ts';
import { childrenOfWeb, Edge, spec } from './edge.ts';

type Rule = { readonly apiGroups: string[]; readonly resources: string[]; readonly verbs: string[] };

const rbac = '/apis/rbac.authorization.k8s.io/v1';
const account = 'operator';
const allRules = clusterRoleRules();

/** The rules of the ClusterRole in config/rbac.yaml. */
function clusterRoleRules(): readonly Rule[] {
  const documents = loadAll(readFileSync('config/rbac.yaml', 'utf8')) as { kind: string; rules?: Rule[] }[];
  return documents.find(({ kind }) => kind === 'ClusterRole')?.rules ?? [];
}

/** The rules without `verbs` on `resource`. */
function without(resource: string, verbs?: readonly string[]): Rule[] {
  return allRules.flatMap((rule) => {
    if (!rule.resources.includes(resource)) return [rule];
    const others = rule.resources.filter((other) => other !== resource);
    const left = verbs === undefined ? [] : rule.verbs.filter((verb) => !verbs.includes(verb));
    return [
      { ...rule, resources: others },
      { ...rule, resources: [resource], verbs: left },
    ].filter((part) => part.resources.length > 0 && part.verbs.length > 0);
  });
}

/** With an account of its own, which may do in each namespace what a test grants it there. */
describeWithCluster('operator that lacks a right', (cluster) => {
  let edge: Edge;
  let other: Edge;

  beforeEach(async () => {
    const [namespace, second] = [await cluster().namespace(), await cluster().namespace()];
    await cluster().request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
      metadata: { name: account },
    });
    const config = await accountKubeConfig(cluster(), { namespace, name: account });
    edge = new Edge(cluster(), namespace, () => config);
    other = new Edge(cluster(), second);
  });

  afterEach(() => edge.stop());

  /** Lets the account do what `rules` say in `namespace`, and nothing else. */
  async function grant(rules: readonly Rule[], namespace = edge.namespace): Promise<void> {
    const path = `${rbac}/namespaces/${namespace}`;
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: account },
      rules,
    };
    const query = '?fieldManager=test&force=true';
    const type = 'application/apply-patch+yaml';
    await cluster().request('PATCH', `${path}/roles/${account}${query}`, role, type);
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: account };
    const subjects = [{ kind: 'ServiceAccount', name: account, namespace: edge.namespace }];
    await cluster().request('POST', `${path}/rolebindings`, {
      metadata: { name: account },
      roleRef,
      subjects,
    });
    await eventually('the rights are in force', async () => sameJson(await rightsIn(namespace), rules));
  }

  /** The rules by which the API server judges the account in `namespace`. */
  async function rightsIn(namespace: string): Promise<Rule[]> {
    const user = cluster().as(`system:serviceaccount:${edge.namespace}:${account}`);
    const review = { spec: { namespace } };
    const { json } = await user.request(
      'POST',
      '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
      review,
    );
    const { status } = json() as { status: { resourceRules: Rule[] } };
    const resources = new Set(allRules.flatMap((rule) => rule.resources));
    return status.resourceRules.filter((rule) => rule.resources.some((resource) => resources.has(resource)));
  }

  /** `kind namespace` of each watch that is down by the metric. */
  async function watchesDown(): Promise<string[]> {
    const text = await edge.registry.metrics();
    return [...text.matchAll(/^realm_operator_watches_down\{kind="(\w*)",namespace="([^"]*)"\}/gm)].map(
      ([, kind = '', namespace = '']) => `${kind} ${namespace}`,
    );
  }

  function logged(message: string): Record<string, unknown>[] {
    return edge.logged.filter(({ msg, level }) => msg === message && level !== 'debug');
  }

  it('serves one namespace while it may do nothing in another, and that one, too, once it may', async () => {
    await grant(allRules);
    await other.applyRelay('web', spec());
    await edge.start([edge.namespace, other.namespace]);
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const down = await watchesDown();
    expect(down).to.have.lengthOf(9).and.include(`RealmRelay ${other.namespace}`);

    const failures = logged('watch failed, retrying');
    expect(failures.map(({ namespace }) => namespace)).to.deep.equal(down.map(() => other.namespace));
    for (const { err } of failures) expect(err).to.include({ status: 403 }).and.not.have.property('stack');

    await grant(allRules, other.namespace);
    await other.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await eventually('all watches work', async () => (await watchesDown()).length === 0);
    expect(logged('watch works again')).to.have.lengthOf(9);
  });

  for (const resource of [
    'horizontalpodautoscalers',
    'poddisruptionbudgets',
    'networkpolicies',
    'daemonsets',
  ]) {
    it(`serves a relay that needs no ${resource} without the right to them`, async () => {
      await grant(without(resource));
      await edge.start();
      await edge.applyRelay('web', spec());
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
      await edge.children();
      expect(await watchesDown()).to.have.lengthOf(1);
    });
  }

  it('serves all of a relay but the autoscaler that it may not make, and that once it may', async () => {
    await grant(without('horizontalpodautoscalers'));
    await edge.start();
    await edge.applyRelay('web', spec(8443, { autoscaling: { maxReplicas: 3 } }));
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'ApplyFailed');
    expect(message).to.match(/horizontalpodautoscalers.* is forbidden/);
    await edge.children();
    await grant(allRules);
    await edge.expect('horizontalpodautoscalers/web');
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('applies what it may not watch, and reports that changes by others go unnoticed', async () => {
    await grant(without('services', ['list', 'watch']));
    await edge.start();
    await edge.applyRelay('web', spec());
    await edge.expect('services/web');
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'WatchFailed');
    expect(message).to.match(
      /^All objects are applied, but .*cannot watch Service objects in namespace .*services is forbidden.*grant its account/,
    );
    await grant(allRules);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('applies everything but the Service that it may neither read nor make', async () => {
    await grant(without('services'));
    await edge.start();
    await edge.applyRelay('web', spec());
    for (const child of childrenOfWeb.slice(0, 2)) await edge.expect(child);
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'ApplyFailed');
    expect(message).to.match(/services "web" is forbidden/);
    await grant(allRules);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('serves a relay whose Pods it may not see, and says what it does not know', async () => {
    await grant(without('pods'));
    await edge.start();
    await edge.applyRelay('web', spec(8443, { replicas: 0 }));
    const { message } = await edge.expectCondition('web', 'Ready', 'True', 'ScaledToZero');
    expect(message).to.match(/is unknown, since the operator cannot watch Pod objects .*pods is forbidden/);
    await grant(allRules);
    await edge.expect('realmrelays/web', ({ status }) => status?.updatedReplicas === 0);
  });

  it('serves relays without the right to write events, and logs that once', async () => {
    await grant(without('events'));
    await edge.start();
    await edge.applyRelay('web', spec());
    await edge.applyRelay('other', spec());
    for (const relay of ['web', 'other'])
      await edge.expectCondition(relay, 'Programmed', 'True', 'Programmed');
    for (const child of childrenOfWeb.slice(1)) {
      const { metadata } = await edge.expect(child);
      await edge.write('DELETE', child);
      await edge.expect(child, (seen) => seen.metadata.uid !== metadata.uid);
    }
    await eventually('events are refused', () =>
      edge.logged.some(({ msg }) => msg === 'failed to write event'),
    );
    const [failure, ...more] = logged('failed to write event');
    expect(more).to.deep.equal([]);
    expect(failure?.['err']).to.not.have.property('stack');
    await grant(allRules);
    await edge.write('DELETE', 'services/web');
    await edge.expect('services/web');
    await eventually('events are written', () => logged('events are written again').length > 0);
  });
});
