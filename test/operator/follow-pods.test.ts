import { expect } from 'chai';
import { followPods } from '../../src/operator/follow-pods.ts';
import { relayPod } from './relay-pods.ts';

describe('followPods', () => {
  const cases: { waits: number[]; again: object; why: string }[] = [
    { waits: [], again: {}, why: 'no Pod' },
    { waits: [0, 0], again: {}, why: 'each is annotated' },
    { waits: [4_000, 0, 2_000], again: { againMs: 2_000 }, why: 'the first of those that have to wait' },
  ];
  for (const { waits, again, why } of cases)
    it(`looks again when a Pod may be annotated whose annotation others remove: ${why}`, async () => {
      const pods = waits.map((_wait, index) => relayPod(String(index)));
      const report = { configHash: 'old', configProblem: '', unready: [] };
      const reports = new Map(pods.map(({ metadata: { name } }) => [name, { report, failures: 0 }]));
      const context = {
        cluster: {
          annotatePod: ({ metadata: { name } }: { metadata: { name: string } }) =>
            Promise.resolve(waits[Number(name)] ?? 0),
          podRefusal: () => Promise.resolve(undefined),
          watchProblemsOf: () => [],
        },
        poller: { reports: () => reports, poll: () => undefined, forget: () => undefined },
      };
      const followed = {
        key: 'edge/web' as const,
        pods,
        hash: 'new',
        endpoints: [],
        strategy: 'HotReload' as const,
        previous: {},
      };
      expect(await followPods(followed, context)).to.deep.equal(again);
    });
});
