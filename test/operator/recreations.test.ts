import { expect } from 'chai';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { condition, Edge, type Seen, spec } from './edge.ts';
import { mutateServices } from './mutating-policy.ts';
import { Rival } from './rival.ts';

const [wantedClass, forcedClass] = ['example.com/a', 'example.com/forced'];
const withoutService = spec(8443, { service: { enabled: false } });

function balanced(loadBalancerClass = wantedClass): RealmRelaySpec {
  return spec(8443, { service: { type: 'LoadBalancer', loadBalancerClass, recreatePolicy: 'WhenNeeded' } });
}

function classOf({ spec: seen }: Seen): unknown {
  return seen?.['loadBalancerClass'];
}

describeWithCluster('operator whose deletions others undo again and again', (cluster) => {
  let edge: Edge;
  let clock: FakeClock;

  beforeEach(async () => {
    clock = new FakeClock(); // it stands still, so that a wait has no end before a test lets it end
    edge = new Edge(cluster(), await cluster().namespace());
    edge.clock = clock;
    await edge.start();
  });

  afterEach(() => edge.stop());

  async function uid(): Promise<string | undefined> {
    return (await edge.find('services/web'))?.metadata.uid;
  }

  /** Resolves with the message once a fight is reported, and the Service stays although it is not wanted. */
  async function contested(): Promise<string> {
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'Contested');
    await edge.idle();
    return message;
  }

  /** Lets time pass until `holds`, in steps, since a reconcile that began before a step counts from its own beginning. */
  async function passUntil(what: string, holds: () => Promise<boolean>): Promise<void> {
    await eventually(what, async () => {
      await edge.idle();
      if (await holds()) return true;
      clock.advance(1);
      return false;
    });
  }

  /** Resolves once the Service was recreated after each of `waitsMs`, and not much earlier. */
  async function recreatedAfter(waitsMs: readonly number[]): Promise<void> {
    for (const waitMs of waitsMs) {
      const { metadata: before } = await edge.expect('services/web');
      clock.advance(waitMs / 2);
      await edge.idle();
      expect(await uid(), `it waits ${String(waitMs)} ms`).to.equal(before.uid);
      clock.advance(waitMs / 2);
      await passUntil('the Service is deleted', async () => (await uid()) !== before.uid);
      await edge.expect('services/web', (seen) => seen.metadata.uid !== before.uid);
      await contested();
    }
  }

  /** Resolves once the end of the fight is reported, half a minute after it. */
  async function settled(): Promise<void> {
    const reason = async (): Promise<string | undefined> =>
      condition(await edge.expect('realmrelays/web'), 'Programmed')?.reason;
    await edge.idle();
    clock.advance(29_000);
    await edge.idle();
    expect(await reason(), 'it may go on').to.equal('Contested');
    clock.advance(1_000);
    await passUntil('the end is reported', async () => (await reason()) === 'Programmed');
    const reasons = await edge.eventReasons('web');
    expect(reasons.filter((reason) => reason === 'Contested')).to.have.lengthOf(1);
  }

  it('recreates a Service that a policy changes at its creation less and less often, and reports that', async () => {
    const change = `Object{spec: Object.spec{loadBalancerClass: "${forcedClass}"}}`;
    const end = await mutateServices(edge, change, (seen) => classOf(seen) === forcedClass);
    try {
      await edge.applyRelay('web', balanced());
      expect(await contested())
        .to.include('Service "web" is created again and again, and never gets what is wanted')
        .and.include('(spec.service.loadBalancerClass)')
        .and.include('exempt it from the admission policy or webhook that changes it');
      await recreatedAfter([1_000, 2_000]);
    } finally {
      await end();
    }
    const { metadata: before } = await edge.expect('services/web');
    clock.advance(4_000);
    await passUntil('the Service is deleted', async () => (await uid()) !== before.uid);
    await edge.expect('services/web', (seen) => classOf(seen) === wantedClass);
    await settled();
  });

  it('reports at once what a policy made of a new Service that may not be recreated', async () => {
    const change = `Object{spec: Object.spec{loadBalancerClass: "${forcedClass}"}}`;
    const end = await mutateServices(edge, change, (seen) => classOf(seen) === forcedClass);
    try {
      const service = { type: 'LoadBalancer', loadBalancerClass: wantedClass } as const;
      await edge.applyRelay('web', spec(8443, { service }));
      const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'ServiceImmutable');
      expect(message).to.include('spec.service.loadBalancerClass').and.include(forcedClass);
    } finally {
      await end();
    }
  });

  it('deletes a Service that somebody creates for it less and less often, and names them', async () => {
    await edge.applyRelay('web', spec());
    const { metadata, ...service } = await edge.expect('services/web');
    const { name, labels, ownerReferences } = metadata;
    const restored = {
      ...service,
      metadata: { name, labels, ownerReferences },
      spec: { ...service.spec, clusterIP: undefined, clusterIPs: undefined },
    };
    await edge.applyRelay('web', withoutService);
    await edge.expectMissing('services/web');
    const rival = new Rival(async () => {
      if ((await edge.find('services/web')) !== undefined) return false;
      await edge.write('POST', 'services?fieldManager=restore', restored, 'application/json');
      return true;
    });
    try {
      expect(await contested())
        .to.include('Service "web" is created again and again by field manager "restore"')
        .and.include('and is not wanted')
        .and.include('stop it, or set spec.paused');
      await recreatedAfter([1_000, 2_000]);
    } finally {
      await rival.stop();
    }
    clock.advance(4_000);
    await passUntil('the Service is deleted', async () => (await uid()) === undefined);
    await settled();
  });

  it('deletes at once whatever a user takes back again and again', async () => {
    for (const _edit of [1, 2, 3, 4, 5]) {
      await edge.applyRelay('web', spec());
      await edge.expect('services/web');
      await edge.applyRelay('web', withoutService);
      await edge.expectMissing('services/web');
    }
    for (const _edit of [1, 2, 3, 4, 5])
      for (const loadBalancerClass of ['example.com/a', 'example.com/b']) {
        await edge.applyRelay('web', balanced(loadBalancerClass));
        await edge.expect('services/web', (seen) => classOf(seen) === loadBalancerClass);
      }
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    expect(await edge.eventReasons('web')).not.to.include('Contested');
  });
});
