import { setTimeout as tick } from 'node:timers/promises';
import { expect } from 'chai';
import { Lease } from '../../src/kube/lease.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LeaseServer } from './lease-server.ts';

const yearMs = 365 * 24 * 3_600_000;

/** One that tries for the lease, with a clock of its own. */
type Candidate = { readonly lease: Lease; readonly clock: FakeClock; isLost: boolean };

/** A client that counts its requests that are under way. */
class CountingClient extends KubeClient {
  underWay = 0;

  override find(...args: Parameters<KubeClient['find']>): Promise<unknown> {
    return this.#counted(super.find(...args));
  }

  override request(...args: Parameters<KubeClient['request']>): Promise<unknown> {
    return this.#counted(super.request(...args));
  }

  async #counted(request: Promise<unknown>): Promise<unknown> {
    this.underWay += 1;
    return request.finally(() => (this.underWay -= 1));
  }
}

describe('Lease', () => {
  let server: LeaseServer;
  let clients: CountingClient[];
  let candidates: Candidate[];

  beforeEach(async () => {
    [clients, candidates] = [[], []];
    server = new LeaseServer();
    await server.start();
  });

  afterEach(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await Promise.all(candidates.map(({ lease }) => lease.release()));
    await server.stop();
  });

  function candidate(identity: string): Candidate {
    const client = new CountingClient(server.kubeConfig(), systemClock);
    const clock = new FakeClock();
    const lease = new Lease({
      client,
      clock,
      log: createLogger('off'),
      namespace: 'own',
      name: 'realm-operator',
      identity,
      durationMs: 15_000,
    });
    clients.push(client);
    const made: Candidate = { lease, clock, isLost: false };
    void lease.lost.then(() => (made.isLost = true));
    candidates.push(made);
    lease.start();
    return made;
  }

  /** Lets time pass for `passing`, second by second; after each the requests that it brings are answered. */
  async function pass(seconds: number, ...passing: Candidate[]): Promise<void> {
    for (let passed = 0; passed < seconds; passed += 1) {
      for (const { clock } of passing) clock.advance(1_000);
      await settle();
    }
  }

  /** Resolves when every request is answered, and what its answer brings has begun and ended, too. */
  async function settle(): Promise<void> {
    await eventually(
      'requests end',
      async () => {
        await tick(0);
        return clients.every(({ underWay }) => underWay === 0);
      },
      { intervalMs: 0 },
    );
  }

  async function twoOfThem(): Promise<[Candidate, Candidate]> {
    const a = candidate('a');
    await a.lease.acquired;
    const b = candidate('b');
    await settle();
    await pass(3, a, b);
    return [a, b];
  }

  it('is held by one, who writes at most once in two seconds', async () => {
    const [a, b] = await twoOfThem();
    const before = server.writes;
    await pass(60, a, b);
    expect([a.lease.holds(), b.lease.holds()]).to.deep.equal([true, false]);
    expect(server.writes - before).to.be.within(15, 30);
    expect(server.lease?.spec).to.include({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
    });
  });

  it('is never held by two if the holder is stopped, which knows at once when it goes on', async () => {
    const [a, b] = await twoOfThem();
    await pass(14, b);
    expect(b.lease.holds(), 'not yet').to.be.false;
    await pass(3, b);
    expect(b.lease.holds()).to.be.true;
    a.clock.advance(30_000);
    expect(a.lease.holds(), 'before any request of it').to.be.false;
    expect(a.lease.signal.aborted).to.be.true;
    await eventually('told', () => a.isLost);
    expect(server.lease?.spec).to.include({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  it('does not care for the wall clock: a holder a year behind keeps it', async () => {
    const a = candidate('a');
    await a.lease.acquired;
    const b = candidate('b');
    b.clock.advance(yearMs);
    await settle();
    await pass(30, a, b);
    expect([a.lease.holds(), b.lease.holds()]).to.deep.equal([true, false]);
  });

  it('is taken soon after it was released', async () => {
    const [a, b] = await twoOfThem();
    await a.lease.release();
    expect(a.lease.holds()).to.be.false;
    await pass(2, b);
    expect(b.lease.holds()).to.be.true;
    expect(a.isLost, 'given, not lost').to.be.false;
  });

  it('ends if the API server does not answer, before another may take it', async () => {
    const [a] = await twoOfThem();
    server.isSilent = true;
    a.clock.advance(9_000);
    expect(a.lease.holds()).to.be.true;
    a.clock.advance(1_000);
    expect(a.lease.holds()).to.be.false;
    await eventually('told', () => a.isLost);
  });

  it('goes on where somebody else changed something of it', async () => {
    const [a, b] = await twoOfThem();
    server.touch();
    await pass(20, a, b);
    expect([a.lease.holds(), b.lease.holds()]).to.deep.equal([true, false]);
  });

  it('is made again by its holder if somebody deleted it; others leave it the time', async () => {
    const [a, b] = await twoOfThem();
    await pass(3, a, b);
    server.lease = undefined;
    await pass(2, b);
    expect(b.lease.holds()).to.be.false;
    await pass(6, a, b);
    expect([a.lease.holds(), b.lease.holds()]).to.deep.equal([true, false]);
    expect(server.lease).to.have.nested.property('spec.holderIdentity', 'a');
  });

  it('goes to one of many that see it free at a time', async () => {
    const many = Array.from({ length: 5 }, (_, index) => candidate(String(index)));
    await pass(5, ...many);
    await tick(0);
    expect(many.filter(({ lease }) => lease.holds())).to.have.lengthOf(1);
  });
});
