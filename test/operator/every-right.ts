import { eventually } from '../support/eventually.ts';
import { childrenOfWeb, type Edge, spec } from './edge.ts';

const json = 'application/json';
const managed = { 'app.kubernetes.io/managed-by': 'realm-operator' };
const hashAnnotation = 'realm-operator.dev/config-hash';

/** Has the operator that looks after `edge` do all for which it needs a right. No controller manager need run. */
export async function useEveryRight(edge: Edge): Promise<void> {
  await edge.applyRelay('web', spec());
  await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  await edge.write('DELETE', 'services/web');
  await edge.expect('services/web');
  await edge.applyRelay('web', spec(8443, { service: { enabled: false } }));
  await edge.expectMissing('services/web');
  await makeLeftover(edge);
  await edge.expectMissing('configmaps/web-left');
  await makePod(edge);
  await edge.expect('pods/web-abc', ({ metadata }) => metadata.annotations?.[hashAnnotation] !== undefined);
  await haveCompanions(edge);
  await changeKinds(edge);
  for (const child of childrenOfWeb.slice(0, 2)) await edge.expect(child);
  await eventually('events', async () => (await edge.eventReasons('web')).includes('Deleted'));
}

async function haveCompanions(edge: Edge): Promise<void> {
  const companions = ['networkpolicies/web', 'poddisruptionbudgets/web', 'horizontalpodautoscalers/web'];
  const all: Parameters<typeof spec>[1] = {
    service: { enabled: false },
    networkPolicy: { enabled: true },
    podDisruptionBudget: {},
    autoscaling: { maxReplicas: 3 },
    workload: { hostNetwork: true },
  };
  await edge.applyRelay('web', spec(8443, all));
  for (const object of companions) await edge.expect(object);
  await edge.applyRelay('web', spec(8443, { service: { enabled: false } }));
  for (const object of companions) await edge.expectMissing(object);
}

/** On hostNetwork, where the workload of the one kind goes before that of the other is ready. */
async function changeKinds(edge: Edge): Promise<void> {
  for (const kind of ['DaemonSet', 'Deployment', 'DaemonSet'] as const) {
    await edge.applyRelay('other', spec(8443, { workload: { kind, hostNetwork: true } }));
    await edge.expect(`${kind.toLowerCase()}s/other`);
    if (kind === 'DaemonSet') await lackPod(edge);
    await edge.expectMissing(kind === 'DaemonSet' ? 'deployments/other' : 'daemonsets/other');
  }
  await edge.write('DELETE', 'realmrelays/other');
}

/** Has the DaemonSet `other` report that a node has no Pod, whereupon the operator looks for the reason. */
async function lackPod(edge: Edge): Promise<void> {
  const status = {
    desiredNumberScheduled: 1,
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    numberReady: 0,
  };
  await edge.write('PATCH', 'daemonsets/other/status', { status });
}

/** A ConfigMap that `web` owns and does not want. */
async function makeLeftover(edge: Edge): Promise<void> {
  const { apiVersion, kind, metadata } = await edge.expect('realmrelays/web');
  const ownerReferences = [{ apiVersion, kind, name: 'web', uid: metadata.uid, controller: true }];
  const leftover = { metadata: { name: 'web-left', labels: managed, ownerReferences } };
  await edge.write('POST', 'configmaps', leftover, json);
}

/** A ready Pod as a ReplicaSet of `web` makes it, at an address of loopback where nobody answers: it is told unasked. */
async function makePod(edge: Edge): Promise<void> {
  const accounts = `/api/v1/namespaces/${edge.namespace}/serviceaccounts`;
  await edge.controlPlane.request('POST', accounts, { metadata: { name: 'default' } });
  const labels = {
    ...managed,
    'app.kubernetes.io/name': 'realm-relay',
    'app.kubernetes.io/instance': 'web',
    'pod-template-hash': 'abc',
  };
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-abc', uid: 'none', controller: true };
  const metadata = { name: 'web-abc', labels, ownerReferences: [owner] };
  await edge.write(
    'POST',
    'pods',
    { metadata, spec: { containers: [{ name: 'relay', image: 'none' }] } },
    json,
  );
  await makeReady(edge, 'web-abc');
}

/** Reports Pod `name` ready, as kubelet does, at an address of loopback where nobody answers. */
export async function makeReady(edge: Edge, name: string): Promise<void> {
  const podIP = '127.94.65.1';
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-02T03:04:05Z' }];
  const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions };
  await edge.write('PATCH', `pods/${name}/status`, { status }, 'application/strategic-merge-patch+json');
}
