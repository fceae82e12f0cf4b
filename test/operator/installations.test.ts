import { expect } from 'chai';
import { describeWithCluster } from '../cluster/shared.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { Edge, type Seen, spec } from './edge.ts';

/** So long an installation may take to answer, and so long it is not asked again. */
const [patienceMs, askAgainMs] = [40_000, 15_000];

describeWithCluster('two installations that see the same RealmRelays', (cluster) => {
  let first: Edge;
  let second: Edge;

  /** An installation with an image of its own, and a clock that stands still. */
  function installation(name: string, namespace: string): Edge {
    const edge = new Edge(cluster(), namespace);
    edge.installation = `${name}/realm-operator`;
    edge.clock = new FakeClock();
    edge.platform = { ...edge.platform, relayImage: `registry.example/realm-relay:${name}` };
    return edge;
  }

  beforeEach(async () => {
    const namespace = await cluster().namespace();
    first = installation('old', namespace);
    second = installation('new', namespace);
    await first.start();
    for (const name of ['web', 'mail']) {
      await first.applyRelay(name, spec());
      await first.expectCondition(name, 'Programmed', 'True', 'Programmed');
    }
    await first.idle(); // what it still wrote could make a question of the second fail, which then waits for the clock
  });

  afterEach(async () => {
    await Promise.all([first.stop(), second.stop()]);
  });

  function advance(edge: Edge, elapsedMs: number): void {
    (edge.clock as FakeClock).advance(elapsedMs);
  }

  function logged(edge: Edge, message: string): Record<string, unknown>[] {
    return edge.logged.filter(({ msg }) => msg === message);
  }

  async function standsBy(): Promise<void> {
    const warning = 'another installation serves RealmRelays, leaving them to it';
    await eventually('the second stands by', () => logged(second, warning).length > 0);
    await second.idle();
  }

  /** Resolves once one of the RealmRelays has a question of the installation that nobody has answered. */
  async function asked(name = 'new'): Promise<void> {
    await eventually('question', async () => {
      const seen = await Promise.all(['web', 'mail'].map((name) => second.find(`realmrelays/${name}`)));
      return seen.some((relay) => relay?.status?.contender === `${name}/realm-operator`);
    });
    await second.idle();
  }

  async function image(relay: string): Promise<string> {
    const { spec: deployed } = await second.expect(`deployments/${relay}`);
    return JSON.stringify(deployed).match(/realm-relay:\w+/)?.[0] ?? '';
  }

  function written(edge: Edge): number {
    return logged(edge, 'object written').length;
  }

  function isServedBy(name: string): (seen: Seen) => boolean {
    return ({ status }) => status?.operator === `${name}/realm-operator` && status.contender === undefined;
  }

  it('the second writes no object, and its log, an event and the status name the first', async () => {
    const versions = await first.versions();
    await second.start();
    await standsBy();
    const edited = await first.applyRelay('web', spec(9443));
    const followed = await first.expect('realmrelays/web', ({ status }) => {
      return status?.observedGeneration === edited.metadata.generation;
    });
    await first.applyRelay('late', spec());
    const late = await first.expect('realmrelays/late', isServedBy('old'));
    for (const relay of [followed, late]) await second.noticed(relay);
    await first.idle();
    expect(written(second)).to.equal(0);
    expect(await first.versions()).to.not.deep.equal(versions);
    for (const relay of ['web', 'mail', 'late']) expect(await image(relay)).to.equal('realm-relay:old');
    const [warning] = logged(second, 'another installation serves RealmRelays, leaving them to it');
    expect(warning).to.include({ installation: 'old/realm-operator' });
    expect(warning?.['remedy']).to.include('--namespace');
    expect(logged(first, 'another installation watches RealmRelays that this one serves')).to.have.lengthOf(
      1,
    );
    const notes = async (): Promise<string[]> => {
      const { items } = (await second.find('events')) as unknown as { items: { note: string }[] };
      return items.map(({ note }) => note).filter((note) => note.includes('"old/realm-operator"'));
    };
    await eventually('the event', async () => (await notes()).length > 0);
    expect(await notes()).to.have.lengthOf(1);
    const { values = [] } =
      (await second.registry.getSingleMetric('realm_operator_relays_of_others')?.get()) ?? {};
    expect(values).to.deep.equal([{ labels: { installation: 'old/realm-operator' }, value: 3 }]);
  });

  it('asks again on one RealmRelay, and the first answers each time without waiting', async () => {
    await second.start();
    await standsBy();
    for (const round of [1, 2, 3, 4, 5, 6]) {
      const before = await Promise.all(['web', 'mail'].map((name) => first.expect(`realmrelays/${name}`)));
      advance(second, askAgainMs);
      const answered = await eventually(`answer ${String(round)}`, async () => {
        const relays = await Promise.all(
          before.map(({ metadata }) => first.expect(`realmrelays/${metadata.name}`)),
        );
        const isAsked = relays.some(
          ({ metadata }, index) => metadata.resourceVersion !== before[index]?.metadata.resourceVersion,
        );
        return isAsked && relays.every(isServedBy('old')) && relays;
      });
      for (const relay of answered) await second.noticed(relay); // from then on it waits to ask again
    }
    expect(written(second)).to.equal(0);
    expect(logged(first, 'status is undone again and again')).to.deep.equal([]);
  });

  it('the second takes over when the first is gone, and the first stands by when it comes back', async () => {
    await second.start();
    await standsBy();
    await first.stop();
    advance(second, askAgainMs);
    await asked();
    expect(written(second), 'it waits for an answer').to.equal(0);
    advance(second, patienceMs);
    for (const relay of ['web', 'mail']) {
      await second.expect(`realmrelays/${relay}`, isServedBy('new'));
      await eventually('its image', async () => (await image(relay)) === 'realm-relay:new');
    }
    await second.idle();
    const before = written(first);
    await first.start();
    const warning = 'another installation serves RealmRelays, leaving them to it';
    await eventually('the first stands by', () => logged(first, warning).length > 0);
    await first.idle();
    expect(written(first)).to.equal(before);
  });

  it('a new process of the first answers what was asked while it was away', async () => {
    await first.stop();
    await second.start();
    await asked();
    await first.start();
    await standsBy();
    expect(written(second)).to.equal(0);
  });

  it('the question that a killed installation left does not hold up the next', async () => {
    await first.stop();
    const killed = installation('killed', first.namespace);
    await killed.start();
    await asked('killed');
    await killed.stop();
    await second.start();
    await second.idle(); // it only waits
    advance(second, patienceMs);
    await second.expect('realmrelays/web', isServedBy('new'));
    await second.expect('realmrelays/mail', isServedBy('new'));
  });

  it('a RealmRelay that the first does not serve is served by the second after a while', async () => {
    await second.start();
    await standsBy();
    await first.stop();
    await second.noticed(await second.applyRelay('late', spec())); // from then on it waits
    expect(await second.find('deployments/late')).to.equal(undefined);
    advance(second, 10_000);
    await second.expect('realmrelays/late', isServedBy('new'));
    expect(await image('web')).to.equal('realm-relay:old');
  });

  it('of two that each serve some, the one whose name sorts first gets all', async () => {
    await first.write('PATCH', 'realmrelays/mail/status', { status: { operator: 'new/realm-operator' } });
    await second.start(); // it answers on "mail", and asks on "web"
    await asked();
    await Promise.all([first.idle(), second.idle()]);
    await second.expect('realmrelays/mail', isServedBy('new'));
    advance(second, patienceMs);
    await second.expect('realmrelays/web', isServedBy('new'));
    await eventually('its image', async () => (await image('web')) === 'realm-relay:new');
    expect(await image('mail')).to.equal('realm-relay:new');
  });

  it('replicas of one installation, and the next version of it, go on without a question', async () => {
    await first.stop();
    second.installation = first.installation;
    await second.start();
    await eventually('its image', async () => (await image('web')) === 'realm-relay:new');
    await second.idle();
    expect(logged(second, 'another installation serves RealmRelays, leaving them to it')).to.deep.equal([]);
  });
});
