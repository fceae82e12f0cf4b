import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { TwoOperators } from './two-operators.ts';

describeWithCluster('two operators', function () {
  let two: TwoOperators;

  before(async () => {
    two = await TwoOperators.prepare();
  });

  beforeEach(() => two.begin());

  afterEach(() => two.end());

  after(async () => {
    await two.stop();
  });

  // How soon, test/kube/lease.test.ts shows by a clock.
  it('one works, and the other takes over when it is killed', async () => {
    const [a, b] = await two.startBoth();
    await eventually('ten more writes', () => two.work().length > 10);
    expect(new Set(two.work().map(({ user }) => user))).to.deep.equal(new Set(['operator-a']));
    expect(b.messages).not.to.include('lease acquired');
    await a.end();
    await two.written('operator-b');
    expect(two.stray()).to.deep.equal([]);
  });

  it('of two installations, the second writes nothing but its question', async () => {
    const startMicros = Date.now() * 1000; // what the test before has written may be in the audit log later
    await two.startApart();
    expect(await two.installation()).to.equal('realm-operator-system/realm-operator');
    for (let round = 0; round < 10; round += 1) await two.written('operator-a');
    const written = (name: string): Set<string> =>
      new Set(
        two
          .work()
          .flatMap(({ user, resource, fromMicros }) =>
            user === name && fromMicros > startMicros ? [resource] : [],
          ),
      );
    await eventually('the question and its event', () => written('operator-b').size >= 2);
    expect([...written('operator-a')]).to.include.members(['configmaps', 'deployments', 'services']);
    expect([...written('operator-b')]).to.have.members(['realmrelays', 'events']);
  });

  it('never write both: one is stopped until the other holds the lease, and goes on', async () => {
    const [a] = await two.startBoth();
    a.kill('SIGSTOP');
    await two.written('operator-b');
    await two.renewed('operator-b', 5);
    a.kill('SIGCONT');
    expect(await a.ended, 'it gives up, to be started again').to.equal(1);
    await two.written('operator-b');
    expect(a.messages).to.include('lease lost');
    expect(two.stray()).to.deep.equal([]);
  });

  it('hand over when the first is stopped, long before its lease is over', async () => {
    const [a] = await two.startBoth({ leaseSeconds: 90 }); // `eventually` does not wait for so long
    a.kill('SIGTERM');
    await two.written('operator-b');
    expect(await a.ended).to.equal(0);
    expect(two.stray()).to.deep.equal([]);
  });

  it('do not care for each other’s clock: that of the second is an hour ahead', async () => {
    // Node asks the wall clock by Date alone; what is measured goes by another clock.
    const ahead =
      'const now = Date.now; Date = class extends Date { constructor(...given) { super(...(given.length ? given : [now() + 3.6e6])); } static now() { return now() + 3.6e6; } };';
    const [a, b] = await two.startBoth({
      nodeFlags: [`--import=data:text/javascript,${encodeURIComponent(ahead)}`],
    });
    await two.renewed('operator-a', 15); // for twice the lease, as each clock measures it
    await two.written('operator-a');
    expect(b.messages).not.to.include('lease acquired');
    expect(b.times.at(-1)?.getTime(), 'its clock is ahead').to.be.above(Date.now() + 3_000_000);
    await a.end();
    await two.written('operator-b');
    expect(two.stray()).to.deep.equal([]);
  });
});
