import { expect } from 'chai';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { condition, Edge, type Seen, spec } from './edge.ts';

type Kind = 'Deployment' | 'DaemonSet';
type PodSpec = NonNullable<NonNullable<RealmRelaySpec['podTemplate']>['spec']>;

describeWithCluster('operator, relays that share nodes', (cluster) => {
  let edge: Edge;

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
  });

  afterEach(() => edge.stop());

  function apply(name: string, kind: Kind, podSpec?: PodSpec): Promise<Seen> {
    const workload = { kind, hostNetwork: true };
    const podTemplate = podSpec && { podTemplate: { spec: podSpec } };
    return edge.applyRelay(name, spec(8443, { workload, ...podTemplate }));
  }

  /** Resolves with what each of the two is told, once its `Accepted` has this reason and speaks of the other, or does not. */
  async function told(reason: string, ofOther: boolean): Promise<string[]> {
    const names = ['web', 'other'];
    const seen = names.map((name) =>
      edge.expect(`realmrelays/${name}`, (relay) => {
        const accepted = condition(relay, 'Accepted');
        const isOfOther = names.every((each) => accepted?.message.includes(`/${each}"`));
        return accepted?.status === 'True' && accepted.reason === reason && isOfOther === ofOther;
      }),
    );
    return (await Promise.all(seen)).map((relay) => condition(relay, 'Accepted')?.message ?? '');
  }

  const cases: { kinds: [Kind, Kind]; reason: string; remedy: RegExp }[] = [
    {
      kinds: ['DaemonSet', 'DaemonSet'],
      reason: 'HostPortConflict',
      remedy: /podTemplate\.spec\.nodeSelector/,
    },
    {
      kinds: ['DaemonSet', 'Deployment'],
      reason: 'HostPortConflict',
      remedy: /podTemplate\.spec\.nodeSelector/,
    },
    {
      kinds: ['Deployment', 'DaemonSet'],
      reason: 'HostPortConflict',
      remedy: /podTemplate\.spec\.nodeSelector/,
    },
    { kinds: ['Deployment', 'Deployment'], reason: 'Accepted', remedy: /a node for each of their Pods/ },
  ];
  for (const { kinds, reason, remedy } of cases) {
    it(`reports to both that they may meet, and that they no longer do: ${kinds.join(', ')}`, async () => {
      const [kind, otherKind] = kinds;
      const { namespace } = edge;
      await apply('web', kind, { nodeSelector: { pool: 'a' } });
      await edge.expectCondition('web', 'Accepted', 'True', 'Accepted');
      await apply('other', otherKind, { nodeSelector: { 'kubernetes.io/os': 'linux' } });
      for (const message of await told(reason, true)) {
        expect(message).to.include(`"${namespace}/web"`).and.include(`"${namespace}/other"`);
        expect(message).to.include('both need TCP 9465 of the admin server, TCP 8443').and.match(remedy);
      }
      for (const name of ['web', 'other'])
        await edge.expectCondition(name, 'Programmed', 'True', 'Programmed');
      await apply('other', otherKind, { nodeSelector: { pool: 'b' } });
      await told('Accepted', false);
      await apply('other', otherKind, elsewhere('NotIn', 'b'));
      await told(reason, true);
      await apply('other', otherKind, elsewhere('NotIn', 'a'));
      await told('Accepted', false);
      await apply('other', otherKind);
      await told(reason, true);
      await edge.write('DELETE', 'realmrelays/other');
      await edge.expect('realmrelays/web', (relay) => {
        const accepted = condition(relay, 'Accepted');
        return accepted?.reason === 'Accepted' && !accepted.message.includes('/other"');
      });
    });
  }

  it('makes an event of it, on both', async () => {
    for (const name of ['web', 'other']) await apply(name, 'DaemonSet');
    for (const name of ['web', 'other'])
      await eventually('event', async () => (await edge.eventReasons(name)).includes('HostPortConflict'));
  });
});

/** A pool that is chosen by affinity. */
function elsewhere(operator: 'In' | 'NotIn', pool: string): PodSpec {
  const nodeSelectorTerms = [{ matchExpressions: [{ key: 'pool', operator, values: [pool] }] }];
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  return { affinity: { nodeAffinity: required } };
}
