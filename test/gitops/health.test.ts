import { expect } from 'chai';
import type { KubeObject } from '../../src/kube/object.ts';
import type { RelayObject } from '../../src/operator/kinds.ts';
import { status } from '../../src/operator/status.ts';
import type { RunningPods } from '../../src/operator/running-pods.ts';
import type { Verdict } from '../../src/operator/verdict.ts';
import { describeWithHelm, judge } from '../cluster/helm.ts';
import { runOrThrow } from '../cluster/run.ts';
import { relay } from '../support/realm-relays.ts';
import { healthCheck } from './documents.ts';

type Health = { readonly status: string; readonly message: string };
type Judged = { readonly lua: Health; readonly kstatus: Health };

const now = new Date('2026-01-02T03:04:05Z');
const programmed: Verdict = { kind: 'programmed', relay: relay(), warnings: '' };
/** The Pods run the newest configuration. */
const upToDate: RunningPods = { pods: 2, updated: 2, problems: [], stuck: [], faults: [] };
const paused: Verdict = { kind: 'paused' };

/** A RealmRelay before its first reconcile: the status is the default of the CRD. */
const unseen: RelayObject = {
  apiVersion: 'realm-operator.dev/v1alpha1',
  kind: 'RealmRelay',
  metadata: { name: 'web', namespace: 'edge', generation: 3 },
  status: { observedGeneration: -1 },
};

/** Its Deployment, which wants two Pods. */
function deployment(readyReplicas: number, conditions: object[] = []): KubeObject {
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', generation: 1 },
    spec: { replicas: 2, selector: { matchLabels: { a: '1' } } },
    status: { observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas, conditions },
  };
  return object;
}

function seen(verdict: Verdict, ...owned: KubeObject[]): RelayObject {
  return {
    ...unseen,
    status: status({ operator: 'operators/test', object: unseen, verdict, owned, running: upToDate, now }),
  };
}

async function judged(objects: readonly object[]): Promise<Judged[]> {
  const stdin = JSON.stringify({ lua: healthCheck(), objects });
  return JSON.parse(await runOrThrow([...judge, 'health'], { stdin })) as Judged[];
}

describeWithHelm('health of a RealmRelay, by the Lua of docs/gitops.md and by kstatus', () => {
  const ready = seen(programmed, deployment(2));
  const deadline = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' };
  const cases: { relay: RelayObject; argo: string; flux: string; why: string }[] = [
    { relay: ready, argo: 'Healthy', flux: 'Current', why: 'all is well' },
    { relay: unseen, argo: 'Progressing', flux: 'InProgress', why: 'it was not reconciled yet' },
    {
      relay: { ...ready, metadata: { ...ready.metadata, generation: 4 } },
      argo: 'Progressing',
      flux: 'InProgress',
      why: 'the newest spec was not reconciled yet',
    },
    {
      relay: seen(programmed, deployment(1)),
      argo: 'Progressing',
      flux: 'InProgress',
      why: 'a Pod is missing',
    },
    {
      relay: seen(programmed, deployment(1, [deadline])),
      argo: 'Degraded',
      flux: 'Failed',
      why: 'the Deployment gave up',
    },
    {
      relay: seen({ kind: 'rejected', reason: 'PortConflict', message: 'a and b clash' }, deployment(2)),
      argo: 'Degraded',
      flux: 'Failed',
      why: 'the spec is rejected, and the previous one keeps running',
    },
    {
      relay: seen({
        kind: 'blocked',
        configured: undefined,
        reason: 'ResourceConflict',
        message: 'not ours',
      }),
      argo: 'Degraded',
      flux: 'Failed',
      why: 'the user must act',
    },
    {
      relay: seen({ kind: 'pending', configured: undefined, reason: 'Terminating', message: 'going' }),
      argo: 'Progressing',
      flux: 'InProgress',
      why: 'it recovers on its own',
    },
    {
      relay: seen(paused, deployment(2)),
      argo: 'Suspended',
      flux: 'Current',
      why: 'paused, and still running',
    },
    { relay: seen(paused), argo: 'Suspended', flux: 'InProgress', why: 'paused from the beginning' },
  ];
  for (const { relay, argo, flux, why } of cases) {
    it(`${argo}, ${flux}: ${why}`, async () => {
      const [{ lua, kstatus }] = (await judged([relay])) as [Judged];
      expect([lua.status, kstatus.status]).to.deep.equal([argo, flux]);
      expect(lua.message).not.to.equal('');
    });
  }

  it('has the message of the condition that decides it', async () => {
    const conflict = seen({ kind: 'rejected', reason: 'PortConflict', message: 'a and b clash' });
    const [{ lua, kstatus }] = (await judged([conflict])) as [Judged];
    expect([lua.message, kstatus.message]).to.deep.equal(['a and b clash', 'a and b clash']);
  });
});
