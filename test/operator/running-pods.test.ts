import { expect } from 'chai';
import type { RelayReport } from '../../src/operator/relay-client.ts';
import type { PodReports } from '../../src/operator/relay-poller.ts';
import type { Rollout } from '../../src/operator/rollout.ts';
import { endpointReadiness, rolloutOf, runningPods } from '../../src/operator/running-pods.ts';
import { relayPod } from './relay-pods.ts';

const ready: Rollout = { state: 'ready', reason: 'PodsReady', message: 'All Pods are ready.' };
const waiting: Rollout = { state: 'progressing', reason: 'PodsNotReady', message: '1 of 2 Pods are ready.' };
const inUse = 'AddressInUse: TCP [::]:443: address in use: choose another port';

function reports(...given: (Partial<RelayReport> | number)[]): PodReports {
  return new Map(
    given.map((report, index) => {
      const uid = ['a', 'b'][index] ?? '';
      if (typeof report === 'number') return [uid, { failures: report }];
      return [uid, { report: { configHash: 'new', configProblem: '', unready: [], ...report }, failures: 0 }];
    }),
  );
}

describe('runningPods', () => {
  const pods = [relayPod('b'), relayPod('a')];
  const cases: {
    answers: PodReports;
    updated: number | undefined;
    ready: boolean | undefined;
    rollout?: Rollout;
    reason: string;
    message: string;
    why: string;
  }[] = [
    {
      answers: reports({}, {}),
      updated: 2,
      ready: true,
      reason: 'ready PodsReady',
      message: 'All Pods are ready.',
      why: 'all run it',
    },
    {
      answers: reports({}, { configHash: 'old' }),
      updated: 1,
      ready: true,
      reason: 'progressing ConfigPending',
      message: '1 of 2 Pods run the newest configuration.',
      why: 'one still runs the one before',
    },
    {
      answers: reports({ unready: [{ name: 'https', message: inUse }] }, {}),
      updated: 2,
      ready: false,
      rollout: waiting,
      reason: 'progressing EndpointsNotReady',
      message: `Endpoint "https" in Pod "a": ${inUse}`,
      why: 'a bind failed in one Pod: Pod, endpoint, reason and remedy are named',
    },
    {
      answers: reports({ unready: [{ name: 'https', message: '' }] }, {}),
      updated: 2,
      ready: true,
      rollout: waiting,
      reason: 'progressing PodsNotReady',
      message: '1 of 2 Pods are ready.',
      why: 'a relay that only begins has nothing to complain of',
    },
    {
      answers: reports({ configHash: 'old', configProblem: 'unknown field' }, {}),
      updated: 1,
      ready: true,
      reason: 'failed ConfigRefused',
      message:
        'The relay rejects the newest configuration and keeps the previous one: Pod "a": unknown field',
      why: 'an older relay image does not know a field',
    },
    {
      answers: reports(3, {}),
      updated: undefined,
      ready: undefined,
      reason: 'ready PodsReady',
      message: 'All Pods are ready. Whether they run the newest configuration is unknown',
      why: 'an operator outside of the cluster is never in the way',
    },
    {
      answers: reports(1),
      updated: 0,
      ready: false,
      rollout: waiting,
      reason: 'progressing PodsNotReady',
      message: '1 of 2 Pods are ready.',
      why: 'Pods begin',
    },
  ];
  for (const { answers, updated, ready: isReady, rollout = ready, reason, message, why } of cases) {
    it(why, () => {
      const seen = runningPods(pods, answers, 'new');
      expect(seen.updated).to.equal(updated);
      expect(endpointReadiness(seen, 'https').ready).to.equal(isReady);
      const told = rolloutOf(rollout, seen);
      expect(`${told.state} ${told.reason}`).to.equal(reason);
      expect(told.message).to.include(message);
    });
  }

  it('takes a refusal by Pods that are being replaced for no failure: they may lack a Secret', () => {
    const refusing = reports({ configHash: 'old', configProblem: 'no such file' }, {});
    expect(rolloutOf(waiting, runningPods(pods, refusing, 'new'))).to.deep.equal(waiting);
  });

  it('names the Secrets that a Pod mounts where kubelet cannot start it', () => {
    const secrets = [
      { name: 'web-tls', keys: ['ca.crt', 'tls.crt', 'tls.key'] },
      { name: 'own', keys: ['ca.crt'] },
    ];
    const seen = runningPods([relayPod('b', { stuck: true }), relayPod('a')], new Map(), 'new');
    expect(rolloutOf(waiting, seen, secrets).message).to.equal(
      '1 of 2 Pods are ready. Pod "b" cannot start: create the Secrets that it mounts, with these keys: "web-tls" (ca.crt, tls.crt, tls.key), "own" (ca.crt).',
    );
    expect(rolloutOf(waiting, seen)).to.deep.equal(waiting);
    expect(rolloutOf(waiting, runningPods(pods, new Map(), 'new'), secrets)).to.deep.equal(waiting);
  });

  it('sorts what it names, whatever the order of Pods', () => {
    const unready = [{ name: 'https', message: inUse }];
    const answers = reports({ unready }, { unready });
    const forward = runningPods(pods, answers, 'new');
    expect(runningPods(pods.toReversed(), answers, 'new')).to.deep.equal(forward);
    expect(endpointReadiness(forward, 'https').message).to.equal(`Pod "a": ${inUse}; Pod "b": ${inUse}`);
  });
});
