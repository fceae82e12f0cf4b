import { expect } from 'chai';
import { nodeConflicts } from '../../src/api/node-conflicts.ts';
import type { Relay } from '../../src/api/relay.ts';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { endpoint, relay } from '../support/realm-relays.ts';

type Choice = {
  name?: string;
  port?: number;
  kind?: 'Deployment' | 'DaemonSet';
  pool?: string;
  isOnHost?: boolean;
};

function onNodes({
  name = 'web',
  port = 443,
  kind = 'DaemonSet',
  pool,
  isOnHost = true,
}: Choice = {}): Relay {
  const spec: Omit<RealmRelaySpec, 'endpoints'> = {
    workload: { kind, hostNetwork: isOnHost },
    ...(pool === undefined ? {} : { podTemplate: { spec: { nodeSelector: { pool } } } }),
  };
  const made = relay([endpoint({ port })], spec);
  return { ...made, metadata: { ...made.metadata, name } };
}

describe('nodeConflicts', () => {
  const cases: { relay: Relay; other: Relay; certain: boolean[]; why: string }[] = [
    {
      relay: onNodes(),
      other: onNodes({ name: 'other', port: 80 }),
      certain: [true],
      why: 'both have an admin server',
    },
    { relay: onNodes(), other: onNodes(), certain: [], why: 'a relay does not conflict with itself' },
    {
      relay: onNodes({ pool: 'a' }),
      other: onNodes({ name: 'other', pool: 'b' }),
      certain: [],
      why: 'different nodes',
    },
    {
      relay: onNodes({ pool: 'a' }),
      other: onNodes({ name: 'other' }),
      certain: [true],
      why: 'one of them is on all nodes',
    },
    {
      relay: onNodes({ kind: 'Deployment' }),
      other: onNodes({ name: 'other', kind: 'Deployment' }),
      certain: [false],
      why: 'the scheduler keeps them apart if there are enough nodes',
    },
    {
      relay: onNodes({ kind: 'Deployment' }),
      other: onNodes({ name: 'other' }),
      certain: [true],
      why: 'a DaemonSet runs on every node',
    },
    {
      relay: onNodes(),
      other: onNodes({ name: 'other', isOnHost: false }),
      certain: [],
      why: 'the other does not use hostNetwork',
    },
    {
      relay: onNodes({ isOnHost: false }),
      other: onNodes({ name: 'other' }),
      certain: [],
      why: 'the relay does not use hostNetwork',
    },
  ];
  for (const { relay, other, certain, why } of cases) {
    it(why, () => {
      expect(nodeConflicts(relay, [other]).map(({ isCertain }) => isCertain)).to.deep.equal(certain);
    });
  }

  it('names both relays, every port that both need, and the remedy', () => {
    const [conflict] = nodeConflicts(onNodes(), [onNodes({ name: 'other' })]);
    expect(conflict?.message).to.equal(
      'on hostNetwork, relay "edge/web" and relay "edge/other" cannot share a node, since both need TCP 9465 of the admin server, TCP 443: set podTemplate.spec.nodeSelector so that they are on different nodes, or make one relay of the two',
    );
  });
});
