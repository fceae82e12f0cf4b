import { expect } from 'chai';
import type { RealmRelayStatus } from '../../src/api/schema/realm-relay.ts';
import { apiVersion, kind } from '../../src/api/schema/realm-relay.ts';
import { PackedObject } from '../../src/kube/packed-object.ts';
import type { RelayObject } from '../../src/operator/kinds.ts';
import { relaysReporter, type RelaysReport } from '../../src/operator/relays-report.ts';
import { FakeClock } from '../support/fake-clock.ts';

const lastTransitionTime = '2026-01-01T00:00:00Z';

/** A RealmRelay with a secret in every place that is not reported. */
function relay(name: string, status: RealmRelayStatus = {}): PackedObject<RelayObject> {
  const metadata = { name, namespace: 'edge', annotations: { token: 's3cret' }, labels: { token: 's3cret' } };
  return new PackedObject<RelayObject>(
    { apiVersion, kind, metadata, spec: { image: 's3cret' }, status },
    undefined,
  );
}

function condition(status: 'True' | 'False', message = ''): RealmRelayStatus['conditions'] {
  return [
    {
      type: 'Ready',
      status,
      reason: status === 'True' ? 'Ready' : 'PodsNotReady',
      message,
      lastTransitionTime,
    },
  ];
}

describe('the report of all RealmRelays', () => {
  const clock = new FakeClock();
  let relays: PackedObject<RelayObject>[] = [];
  const operator = {
    instance: 'realm-operator-0',
    isReady: () => true,
    isLeading: () => false,
    watchProblems: () => [{ kind: 'Pod', problem: 'forbidden' }],
    relays: () => relays,
  };
  const report = (words = '', onlyProblems = false): RelaysReport =>
    relaysReporter(operator, clock)({ words, onlyProblems });

  it('has those with problems first, then by name, and counts', () => {
    const stalled = [
      ...(condition('False', 'a port conflict') ?? []),
      { type: 'Stalled', status: 'True' as const, reason: 'PortConflict', message: '', lastTransitionTime },
    ];
    relays = [
      relay('web', { conditions: condition('True') }),
      relay('new'),
      relay('dns', { conditions: stalled }),
      relay('api', { conditions: condition('True') }),
    ];
    const { counts, relays: rows, matching, problems, isLeading, instance } = report();
    expect(rows.map(({ name }) => name)).to.deep.equal(['dns', 'new', 'api', 'web']);
    expect(counts).to.deep.equal({ total: 4, ready: 2, notReady: 1, unknown: 1, stalled: 1 });
    expect(rows[0]).to.include({ ready: 'False', isStalled: true, message: 'a port conflict' });
    expect({ matching, isLeading, instance }).to.deep.equal({
      matching: 4,
      isLeading: false,
      instance: 'realm-operator-0',
    });
    expect(problems[0]).to.match(/cannot watch Pod objects/);
  });

  it('filters by words, and by problems', () => {
    relays = [
      relay('web', { conditions: condition('True'), listening: '[::]:443' }),
      relay('dns', { conditions: condition('False', 'Address in use') }),
    ];
    const names = (...query: Parameters<typeof report>): string[] =>
      report(...query).relays.map(({ name }) => name);
    expect(names('EDGE/web')).to.deep.equal(['web']);
    expect(names('address USE')).to.deep.equal(['dns']);
    expect(names('443')).to.deep.equal(['web']);
    expect(names('', true)).to.deep.equal(['dns']);
    expect(names('web', true)).to.deep.equal([]);
    expect(report('web').counts.total).to.equal(2);
  });

  it('is bounded, however many there are and however long their texts', () => {
    const message = 'x'.repeat(32_768);
    relays = Array.from({ length: 10_000 }, (_, index) =>
      relay(`relay-${String(index)}`, {
        conditions: condition('False', message),
        listening: message.slice(0, 1024),
      }),
    );
    const found = report();
    expect(found.matching).to.equal(10_000);
    expect(found.relays).to.have.lengthOf(200);
    expect(JSON.stringify(found).length).to.be.below(250_000);
    expect(report('relay-9999').relays).to.have.lengthOf(1);
  });

  it('has names and statuses, and nothing of specs, labels or annotations', () => {
    relays = [relay('web', { conditions: condition('True') })];
    expect(JSON.stringify(report())).not.to.include('s3cret');
  });
});
