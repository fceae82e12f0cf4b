import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { sameJson } from '../../src/lib/same-json.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { condition, Edge, type Seen, spec } from './edge.ts';

/** Undoes what the operator writes, as soon as it sees it, until it is stopped. */
class Rival {
  /** How often it has undone something. */
  rounds = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  /** @param undo  undoes it, if there is something to undo, and resolves with whether there was. */
  constructor(undo: () => Promise<boolean>) {
    this.#running = this.#run(undo);
  }

  async #run(undo: () => Promise<boolean>): Promise<void> {
    while (!this.#isOver) {
      if (await undo()) this.rounds += 1;
      await delay(5); // as a controller that watches
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

describeWithCluster('operator whose objects others undo again and again', (cluster) => {
  let edge: Edge;
  let clock: FakeClock;
  let rival: Rival | undefined;

  beforeEach(async () => {
    clock = new FakeClock(); // it stands still, so that a wait has no end before a test lets it end
    edge = new Edge(cluster(), await cluster().namespace());
    edge.clock = clock;
    await edge.start();
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  afterEach(async () => {
    await rival?.stop();
    rival = undefined;
    await edge.stop();
  });

  /** Undoes `object` with `patch` whenever `isOurs`. */
  function undo(object: string, isOurs: (seen: Seen) => boolean, patch: unknown): Rival {
    const path = `${object}?fieldManager=rival`;
    return new Rival(async () => {
      const seen = await edge.find(object.split('/', 2).join('/'));
      if (seen === undefined || !isOurs(seen)) return false;
      await edge.write('PATCH', path, patch);
      return true;
    });
  }

  function repairs(): number {
    return edge.logged.filter(({ msg, outcome }) => msg === 'object written' && outcome !== 'created').length;
  }

  const isOurService = ({ spec: seen }: Seen): boolean => seen?.['sessionAffinity'] === 'ClientIP';
  const sticky = spec(8443, { service: { sessionAffinity: 'ClientIP' } });

  it('repairs twice at once, then names the other manager and waits longer each time', async () => {
    await edge.applyRelay('web', sticky);
    await edge.expect('services/web', isOurService);
    await edge.idle();
    const before = repairs();
    rival = undo('services/web', isOurService, { spec: { sessionAffinity: 'None' } });
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'Contested');
    expect(message).to.include('Field manager "rival" changes Service "web" again and again');
    expect(message).to.include('(.spec.sessionAffinity)').and.include('spec.paused');
    await edge.expectCondition('web', 'Stalled', 'True', 'Contested');
    await edge.idle();
    expect(repairs() - before).to.equal(2);
    for (const [round, waitMs] of [1_000, 2_000, 4_000].entries()) {
      clock.advance(waitMs - 1);
      await edge.idle();
      expect(repairs() - before, 'it waits').to.equal(2 + round);
      clock.advance(1);
      await eventually('one more repair', () => repairs() - before === 3 + round);
      await eventually('which is undone', () => rival?.rounds === 4 + round);
      await edge.expect('services/web', (seen) => !isOurService(seen));
      await edge.idle();
    }
    const reasons = await edge.eventReasons('web');
    expect(reasons.filter((reason) => reason === 'Contested')).to.have.lengthOf(1);
    const warned = edge.logged.filter(({ msg }) => msg === 'object is undone again and again');
    expect(warned).to.have.lengthOf(1);
  });

  it('is Programmed again when the other one has given up', async () => {
    await edge.applyRelay('web', sticky);
    rival = undo('services/web', isOurService, { spec: { sessionAffinity: 'None' } });
    await edge.expectCondition('web', 'Programmed', 'False', 'Contested');
    await rival.stop();
    await edge.idle();
    clock.advance(1_000);
    await edge.expect('services/web', isOurService);
    await edge.idle();
    clock.advance(29_999);
    await edge.idle();
    const seen = await edge.expect('realmrelays/web');
    expect(condition(seen, 'Programmed')?.reason, 'it may go on').to.equal('Contested');
    clock.advance(1);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('applies an edit at once, whatever was contested before', async () => {
    await edge.applyRelay('web', sticky);
    rival = undo('services/web', isOurService, { spec: { sessionAffinity: 'None' } });
    await edge.expectCondition('web', 'Programmed', 'False', 'Contested');
    await edge.applyRelay('web', spec(9443));
    await edge.expect('services/web', ({ spec: seen }) => JSON.stringify(seen).includes('9443'));
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  describe('edits of different fields, one after the other', () => {
    const edits = {
      replicas: { spec: { replicas: 3 } },
      strategy: { spec: { strategy: { rollingUpdate: { maxSurge: 3 } } } },
      'grace period': { spec: { template: { spec: { terminationGracePeriodSeconds: 1 } } } },
      'service links': { spec: { template: { spec: { enableServiceLinks: true } } } },
      image: { spec: { template: { spec: { containers: [{ name: 'relay', image: 'other' }] } } } },
      label: { metadata: { labels: { 'app.kubernetes.io/name': 'other' } } },
    };

    /** Edits the Deployment as kubectl patch does, and resolves once the edit is undone. */
    async function edit(patch: unknown): Promise<void> {
      const type = 'application/strategic-merge-patch+json';
      const before = await edge.expect('deployments/web');
      const path = 'deployments/web?fieldManager=kubectl-patch';
      const edited = await edge.write('PATCH', path, patch, type);
      expect(edited.spec, 'it is an edit').not.to.deep.equal(before.spec);
      await edge.expect('deployments/web', (seen) => sameJson(seen.spec, before.spec));
    }

    it('are undone at once, each of them, and are no fight', async () => {
      const { label, ...ofSpec } = edits;
      for (const patch of Object.values(ofSpec)) await edit(patch);
      const isLabelled = ({ metadata }: Seen): boolean =>
        metadata.labels?.['app.kubernetes.io/name'] !== 'other';
      await edge.write('PATCH', 'deployments/web', label);
      await edge.expect('deployments/web', isLabelled);
      for (const patch of Object.values(ofSpec)) await edit(patch);
      await edge.idle();
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
      expect(edge.logged.map(({ msg }) => msg)).not.to.include('object is undone again and again');
    });

    it('do not make what is contested look like more than it is', async () => {
      for (const patch of [edits.strategy, edits.image, edits['grace period']]) await edit(patch);
      const isOurs = ({ spec: seen }: Seen): boolean => seen?.['replicas'] === 1;
      rival = undo('deployments/web', isOurs, { spec: { replicas: 3 } });
      const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'Contested');
      expect(message).to.include('"rival" changes Deployment "web" again and again (.spec.replicas)');
    });
  });

  it('names an autoscaler that scales the Deployment, with the remedy', async () => {
    const isOurs = ({ spec: seen }: Seen): boolean => seen?.['replicas'] === 1;
    rival = undo('deployments/web/scale', isOurs, { spec: { replicas: 3 } });
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'Contested');
    expect(message).to.include('"rival" (subresource scale)').and.include('.spec.replicas');
    expect(message).to.include('set spec.autoscaling, or let it scale RealmRelay "web"');
  });

  it('creates what is deleted again and again no faster than that', async () => {
    await edge.idle();
    rival = new Rival(async () => {
      const seen = await edge.find('services/web');
      if (seen === undefined || seen.metadata.deletionTimestamp !== undefined) return false;
      await edge.write('DELETE', 'services/web');
      return true;
    });
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'Contested');
    expect(message).to.include('Service "web" is deleted or changed again and again');
    await eventually('the last deletion answered', () => rival?.rounds === 4);
    await edge.idle();
    expect(rival.rounds).to.equal(4);
  });

  it('adopts what is taken from its owner again and again no faster than that', async () => {
    await edge.idle();
    const isOurs = ({ metadata }: Seen): boolean => metadata.ownerReferences !== undefined;
    rival = undo('services/web', isOurs, { metadata: { ownerReferences: null } });
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'Contested');
    expect(message).to.include('changes Service "web" again and again');
    await edge.idle();
    expect(rival.rounds).to.equal(4);
  });

  it('does not fight over its status', async () => {
    await edge.idle();
    const isOurs = ({ status }: Seen): boolean => status?.listening !== 'elsewhere';
    rival = undo('realmrelays/web/status', isOurs, { status: { listening: 'elsewhere' } });
    await eventually('log', () => edge.logged.some(({ msg }) => msg === 'status is undone again and again'));
    await edge.idle();
    expect(rival.rounds).to.be.within(2, 4);
  });

  it('comes to rest beside another installation that wants another image', async () => {
    const other = new Edge(cluster(), edge.namespace);
    other.clock = new FakeClock();
    other.platform = { ...other.platform, relayImage: 'registry.example/realm-relay:other' };
    await other.start();
    // Each of them writes the status, too, so that either view may stand there; the event stays.
    await eventually('event', async () => (await edge.eventReasons('web')).includes('Contested'));
    const { items } = (await edge.find('events')) as unknown as { items: { note: string }[] };
    const notes = items.map(({ note }) => note).join('\n');
    expect(notes).to.include('Another installation of this operator writes Deployment');
    const versions = async (): Promise<string> =>
      String((await edge.expect('deployments/web')).metadata.generation);
    await edge.idle();
    await other.idle();
    const generation = await versions();
    expect(Number(generation)).to.be.below(10);
    await other.stop();
    expect(await versions()).to.equal(generation);
  });
});
