import { expect } from 'chai';
import type { RealmRelayStatus } from '../../src/api/schema/realm-relay.ts';
import { hotReload, type HotReloadInput } from '../../src/operator/hot-reload.ts';
import { isLive, relayOf, type RelayPod, strippedPod } from '../../src/operator/pods.ts';
import type { PodReport } from '../../src/operator/relay-poller.ts';
import { relayPod } from './relay-pods.ts';

const now: PodReport = { report: { configHash: 'new', configProblem: '', unready: [] }, failures: 0 };
const before: PodReport = { report: { configHash: 'old', configProblem: '', unready: [] }, failures: 0 };
const faulty: PodReport = {
  report: { configHash: 'new', configProblem: '', unready: [{ name: 'a', message: 'AddressInUse' }] },
  failures: 0,
};
const settled: RealmRelayStatus = {
  configHash: 'new',
  updatedReplicas: 1,
  endpoints: [{ name: 'a', listen: '', families: [], protocols: [], ready: true }],
};

describe('hotReload', () => {
  const cases: {
    pod: RelayPod;
    answer?: PodReport;
    more?: Partial<HotReloadInput>;
    annotate: number;
    poll: number;
    why: string;
  }[] = [
    { pod: relayPod('p'), answer: now, annotate: 0, poll: 0, why: 'all is well' },
    {
      pod: relayPod('p'),
      answer: now,
      more: { isWatched: true },
      annotate: 0,
      poll: 1,
      why: 'all is well, and its certificates may change',
    },
    { pod: relayPod('p'), answer: before, annotate: 1, poll: 1, why: 'it runs the previous one' },
    {
      pod: relayPod('p', { annotated: 'new' }),
      answer: before,
      annotate: 0,
      poll: 1,
      why: 'annotated already',
    },
    {
      pod: relayPod('p', { annotated: 'old' }),
      answer: before,
      annotate: 1,
      poll: 1,
      why: 'annotated with the previous one',
    },
    {
      pod: relayPod('p'),
      annotate: 0,
      poll: 1,
      why: 'a new Pod starts with the newest one; polling confirms that',
    },
    {
      pod: relayPod('p'),
      answer: { failures: 3 },
      annotate: 1,
      poll: 1,
      why: 'an operator outside the cluster annotates without polling',
    },
    {
      pod: relayPod('p', { ready: false }),
      answer: { failures: 3 },
      annotate: 0,
      poll: 1,
      why: 'it is starting, or crashing',
    },
    { pod: relayPod('p', { ready: false }), answer: now, annotate: 0, poll: 1, why: 'why is it not ready?' },
    { pod: relayPod('p', { ready: false, address: '' }), annotate: 0, poll: 0, why: 'it has no address yet' },
    { pod: relayPod('p'), answer: faulty, annotate: 0, poll: 1, why: 'a bind is retried' },
    {
      pod: relayPod('p'),
      more: { previous: settled },
      annotate: 0,
      poll: 0,
      why: 'seen before the operator restarted',
    },
    {
      pod: relayPod('p'),
      more: { previous: { ...settled, updatedReplicas: 2 } },
      annotate: 0,
      poll: 1,
      why: 'not all were seen before it restarted',
    },
    {
      pod: relayPod('p'),
      answer: before,
      more: { strategy: 'Rollout' },
      annotate: 0,
      poll: 1,
      why: 'with Rollout the template changes instead',
    },
    {
      pod: relayPod('p'),
      answer: before,
      more: { strategy: undefined },
      annotate: 0,
      poll: 1,
      why: 'paused',
    },
    {
      pod: relayPod('p'),
      answer: before,
      more: { hash: undefined },
      annotate: 0,
      poll: 1,
      why: 'nothing was applied',
    },
  ];
  for (const { pod, answer, more, annotate, poll, why } of cases) {
    it(why, () => {
      const reports = new Map(answer === undefined ? [] : [['p', answer]]);
      const input: HotReloadInput = {
        pods: [pod],
        reports,
        hash: 'new',
        endpoints: ['a'],
        strategy: 'HotReload',
        previous: {},
      };
      const decided = hotReload({ ...input, ...more });
      expect([decided.annotate.length, decided.targets.pods.length]).to.deep.equal([annotate, poll]);
    });
  }

  it('keeps what is known of the Pods that there are, and of no other', () => {
    const reports = new Map([
      ['p', now],
      ['gone', now],
    ]);
    const { targets } = hotReload({
      pods: [relayPod('p')],
      reports,
      hash: 'new',
      endpoints: ['a'],
      strategy: 'HotReload',
      previous: {},
    });
    expect([...targets.reports.keys()]).to.deep.equal(['p']);
    expect(targets.endpoints).to.deep.equal(['a']);
  });
});

describe('relay Pods', () => {
  it('belong to the relay of their label, if its ReplicaSet or DaemonSet controls them', () => {
    expect(relayOf(relayPod('p'))).to.equal('edge/web');
    const foreign = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      name: 'other-abc',
      uid: 'r',
      controller: true,
    };
    expect(relayOf(relayPod('p', { metadata: { ownerReferences: [foreign] } }))).to.equal(undefined);
    const daemonSet = (name: string): RelayPod => {
      return relayPod('p', { metadata: { ownerReferences: [{ ...foreign, kind: 'DaemonSet', name }] } });
    };
    expect(relayOf(daemonSet('web'))).to.equal('edge/web');
    expect(relayOf(daemonSet('other'))).to.equal(undefined);
    expect(relayOf(relayPod('p', { metadata: { ownerReferences: [] } }))).to.equal(undefined);
    expect(relayOf(relayPod('p', { metadata: { labels: {} } }))).to.equal(undefined);
  });

  it('are live until they end or are deleted', () => {
    const pod = relayPod('p');
    expect(isLive(pod)).to.be.true;
    expect(isLive({ ...pod, status: { phase: 'Failed' } })).to.be.false;
    expect(isLive(relayPod('p', { metadata: { deletionTimestamp: 't' } }))).to.be.false;
  });

  it('are kept without what nobody reads', () => {
    const pod = relayPod('p', { annotated: 'new' });
    const full = {
      ...pod,
      metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, more: 'x' } },
      spec: { containers: [] },
      status: {
        ...pod.status,
        hostIP: '192.0.2.1',
        conditions: [{ type: 'Ready', status: 'True', reason: 'r' }],
      },
    };
    const stripped = strippedPod(full);
    expect(JSON.parse(JSON.stringify(stripped))).to.deep.equal(JSON.parse(JSON.stringify(pod)));
    expect(relayOf(stripped)).to.equal('edge/web');
  });
});
