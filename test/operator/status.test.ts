import { expect } from 'chai';
import type { Relay } from '../../src/api/relay.ts';
import type { RealmRelayStatus } from '../../src/api/schema/realm-relay.ts';
import type { KubeObject } from '../../src/kube/object.ts';
import type { RelayObject } from '../../src/operator/kinds.ts';
import type { RunningPods } from '../../src/operator/running-pods.ts';
import { status } from '../../src/operator/status.ts';
import type { Verdict } from '../../src/operator/verdict.ts';
import { endpoint, relay } from '../support/realm-relays.ts';

const now = new Date('2026-01-02T03:04:05.678Z');
const programmed: Verdict = { kind: 'programmed', relay: relay(), warnings: '' };
const rejected: Verdict = { kind: 'rejected', reason: 'PortConflict', message: 'a and b clash' };
const blocked: Verdict = {
  kind: 'blocked',
  configured: undefined,
  reason: 'ResourceConflict',
  message: 'not ours',
};
const pending: Verdict = { kind: 'pending', configured: undefined, reason: 'Terminating', message: 'going' };

function relayObject(previous: RealmRelayStatus = { observedGeneration: -1 }): RelayObject {
  const metadata = { name: 'web', namespace: 'edge', generation: 3 };
  return { apiVersion: 'realm-operator.dev/v1alpha1', kind: 'RealmRelay', metadata, status: previous };
}

type Pods = {
  replicas?: number;
  updatedReplicas?: number;
  readyReplicas?: number;
  observedGeneration?: number;
  conditions?: object[];
};

function deployment(wanted: number, pods: Pods): KubeObject {
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', generation: 2 },
    spec: { replicas: wanted, selector: { matchLabels: { b: '2', a: '1' } } },
    status: { observedGeneration: 2, ...pods },
  };
  return object;
}

function service(spec: object): KubeObject {
  const object = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec };
  return object;
}

const operator = 'operators/test';
const noPods: RunningPods = { pods: 0, updated: 0, problems: [], stuck: [], faults: [] };
const twoReady = deployment(2, { replicas: 2, updatedReplicas: 2, readyReplicas: 2 });

/** `type=status/reason` of each condition, in order. */
function summary({ conditions = [] }: RealmRelayStatus): string[] {
  return conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`);
}

/** The status of a relay whose objects are applied and whose Pods are ready. */
function programmedStatus(relay: Relay): RealmRelayStatus {
  const verdict: Verdict = { kind: 'programmed', relay, warnings: '' };
  return status({ operator, object: relayObject(), verdict, owned: [twoReady], running: noPods, now });
}

describe('status', () => {
  const accepted = 'Accepted=True/Accepted';
  const ok = 'Programmed=True/Programmed';
  const cases: { verdict: Verdict; pods: KubeObject | undefined; conditions: string[]; why: string }[] = [
    {
      verdict: programmed,
      pods: twoReady,
      conditions: [accepted, ok, 'Ready=True/PodsReady'],
      why: 'all is well',
    },
    {
      verdict: programmed,
      pods: deployment(2, { replicas: 2, updatedReplicas: 2, readyReplicas: 1 }),
      conditions: [accepted, ok, 'Ready=False/PodsNotReady', 'Reconciling=True/PodsNotReady'],
      why: 'a Pod is missing',
    },
    {
      verdict: programmed,
      pods: deployment(2, { replicas: 3, updatedReplicas: 2, readyReplicas: 2 }),
      conditions: [accepted, ok, 'Ready=False/PodsNotReady', 'Reconciling=True/PodsNotReady'],
      why: 'an old Pod is still there',
    },
    {
      verdict: programmed,
      pods: deployment(2, { replicas: 2, updatedReplicas: 2, readyReplicas: 2, observedGeneration: 1 }),
      conditions: [accepted, ok, 'Ready=False/PodsNotReady', 'Reconciling=True/PodsNotReady'],
      why: 'the Deployment was changed and nobody has looked at it yet',
    },
    {
      verdict: programmed,
      pods: deployment(0, {}),
      conditions: [accepted, ok, 'Ready=True/ScaledToZero'],
      why: 'no Pods are wanted',
    },
    {
      verdict: programmed,
      pods: deployment(1, {
        conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }],
      }),
      conditions: [accepted, ok, 'Ready=False/RolloutFailed', 'Stalled=True/RolloutFailed'],
      why: 'the Deployment gave up',
    },
    {
      verdict: programmed,
      pods: deployment(1, { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'quota' }] }),
      conditions: [accepted, ok, 'Ready=False/PodsRefused', 'Stalled=True/PodsRefused'],
      why: 'Pods are refused',
    },
    {
      verdict: rejected,
      pods: twoReady,
      conditions: [
        'Accepted=False/PortConflict',
        'Programmed=False/PortConflict',
        'Ready=False/PortConflict',
        'Stalled=True/PortConflict',
      ],
      why: 'only Stalled makes kstatus say Failed',
    },
    {
      verdict: blocked,
      pods: undefined,
      conditions: [
        accepted,
        'Programmed=False/ResourceConflict',
        'Ready=False/ResourceConflict',
        'Stalled=True/ResourceConflict',
      ],
      why: 'the user must act',
    },
    {
      verdict: pending,
      pods: undefined,
      conditions: [
        accepted,
        'Programmed=False/Terminating',
        'Ready=False/Terminating',
        'Reconciling=True/Terminating',
      ],
      why: 'it goes on by itself',
    },
    {
      verdict: { kind: 'paused' },
      pods: twoReady,
      conditions: [accepted, 'Programmed=Unknown/Paused', 'Ready=True/PodsReady'],
      why: 'Pods stay as ready as they are',
    },
    {
      verdict: { kind: 'paused' },
      pods: undefined,
      conditions: [
        accepted,
        'Programmed=Unknown/Paused',
        'Ready=False/NoWorkload',
        'Reconciling=True/NoWorkload',
      ],
      why: 'paused from the beginning',
    },
  ];
  for (const { verdict, pods, conditions, why } of cases) {
    it(`${verdict.kind}: ${why}`, () => {
      const owned = pods === undefined ? [] : [pods];
      expect(
        summary(status({ operator, object: relayObject(), verdict, owned, running: noPods, now })),
      ).to.deep.equal(conditions);
    });
  }

  it('is equal to the one before if nothing changed, whenever it is made', () => {
    const input = {
      verdict: programmed,
      running: noPods,
      owned: [twoReady, service({ clusterIPs: ['10.0.0.1'] })],
    };
    const first = status({ operator, ...input, object: relayObject(), now });
    const later = status({ operator, ...input, object: relayObject(first), now: new Date('2027-01-01') });
    expect(later).to.deep.equal(first);
  });

  it('dates a condition when its status changes, not its message', () => {
    const was = (verdict: Verdict): RealmRelayStatus =>
      status({ operator, object: relayObject(), verdict, owned: [], running: noPods, now });
    const later = new Date('2027-01-01T00:00:00Z');
    const { conditions = [] } = status({
      operator,
      object: relayObject(was(rejected)),
      verdict: blocked,
      owned: [],
      running: noPods,
      now: later,
    });
    const dates = Object.fromEntries(
      conditions.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
    );
    const [before, after] = ['2026-01-02T03:04:05Z', '2027-01-01T00:00:00Z'];
    expect(dates).to.deep.equal({ Accepted: after, Programmed: before, Ready: before, Stalled: before });
  });

  it('reports the configuration that was last applied, while a newer one is not accepted', () => {
    const before = status({
      operator,
      object: relayObject(),
      verdict: programmed,
      owned: [twoReady],
      running: noPods,
      now,
    });
    const after = status({
      operator,
      object: relayObject(before),
      verdict: rejected,
      owned: [twoReady],
      running: noPods,
      now,
    });
    const { configHash, endpoints, listening } = before;
    expect(after).to.deep.include({ configHash, endpoints, listening, observedGeneration: 3, replicas: 2 });
    expect(configHash).to.match(/^[0-9a-f]{64}$/);
  });

  it('is sorted, whatever the order of the spec', () => {
    const endpoints = ['c', 'a', 'b', 'd'].map((name, index) => endpoint({ name, port: 443 + index }));
    const made = programmedStatus(relay(endpoints));
    expect(made.endpoints?.map(({ name }) => name)).to.deep.equal(['a', 'b', 'c', 'd']);
    expect(made.listening).to.equal('[::]:443,[::]:444,[::]:445,+1');
    expect(made.selector).to.equal('a=1,b=2');
  });

  it('shows a range as one endpoint', () => {
    const range = endpoint({ name: 'media', port: 8000, endPort: 8255 });
    const made = programmedStatus(relay([range]));
    expect(made.endpoints?.map(({ name, listen }) => [name, listen])).to.deep.equal([
      ['media', '[::]:8000-8255'],
    ]);
    expect(made.listening).to.equal('[::]:8000-8255');
  });

  it('shows what is probably not meant where the user looks', () => {
    const verdict: Verdict = { kind: 'programmed', relay: relay(), warnings: 'spec.x: is odd: remove it' };
    const { conditions = [] } = status({
      operator,
      object: relayObject(),
      verdict,
      owned: [],
      running: noPods,
      now,
    });
    expect(conditions[0]?.message).to.equal('The spec is valid. Warnings: spec.x: is odd: remove it');
  });
});
