import { expect } from 'chai';
import { parseRealmRelay } from '../../src/api/parse.ts';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { problemText } from '../../src/lib/problem.ts';
import { realmRelay } from '../support/realm-relays.ts';

type WorkloadSpec = NonNullable<RealmRelaySpec['workload']>;

const update = 'spec.workload.rollingUpdate';

describe('spec.workload.rollingUpdate', () => {
  const resolved: { workload: WorkloadSpec; wanted: object; why: string }[] = [
    { workload: {}, wanted: { maxSurge: '25%', maxUnavailable: 0 }, why: 'no client is without a Pod' },
    {
      workload: { hostNetwork: true },
      wanted: { maxSurge: 0, maxUnavailable: 1 },
      why: 'on a node, the new Pod needs the ports of the old one',
    },
    {
      workload: { rollingUpdate: { maxSurge: 0 } },
      wanted: { maxSurge: 0, maxUnavailable: 1 },
      why: 'a full quota has no room for one more',
    },
    {
      workload: { rollingUpdate: { maxSurge: '0%' } },
      wanted: { maxSurge: '0%', maxUnavailable: 1 },
      why: 'a share of nothing is nothing, too',
    },
    {
      workload: { rollingUpdate: { maxUnavailable: '50%' } },
      wanted: { maxSurge: '25%', maxUnavailable: '50%' },
      why: 'a Deployment may have both',
    },
    {
      workload: { kind: 'DaemonSet', rollingUpdate: { maxUnavailable: 2 } },
      wanted: { maxSurge: 0, maxUnavailable: 2 },
      why: 'a DaemonSet takes one of them',
    },
    {
      workload: { kind: 'DaemonSet', rollingUpdate: { maxUnavailable: 0 } },
      wanted: { maxSurge: '25%', maxUnavailable: 0 },
      why: 'and must have one',
    },
  ];
  for (const { workload, wanted, why } of resolved) {
    it(`${JSON.stringify(workload)}: ${why}`, () => {
      const { relay, problems } = parseRealmRelay(realmRelay(undefined, { workload }));
      expect(problems).to.deep.equal([]);
      expect(relay?.workload.rollingUpdate).to.deep.equal(wanted);
    });
  }

  const refused: { workload: WorkloadSpec; problem: string }[] = [
    {
      workload: { hostNetwork: true, rollingUpdate: { maxUnavailable: 0 } },
      problem: `${update}: lets no Pod ever be replaced: set maxUnavailable to 1`,
    },
    {
      workload: { kind: 'DaemonSet', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
      problem: `${update}: has both maxSurge and maxUnavailable, of which a DaemonSet takes one, got {"maxSurge":1,"maxUnavailable":1}: set one of them to 0`,
    },
    {
      workload: { kind: 'DaemonSet', hostNetwork: true, rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      problem: `${update}.maxSurge: cannot be more than 0 for a DaemonSet on hostNetwork: two Pods need the same ports of a node, got 1: set it to 0, or remove it`,
    },
  ];
  for (const { workload, problem } of refused) {
    it(`refuses ${JSON.stringify(workload)}`, () => {
      const { problems } = parseRealmRelay(realmRelay(undefined, { workload }));
      expect(problems.map(problemText)).to.deep.equal([problem]);
    });
  }
});
