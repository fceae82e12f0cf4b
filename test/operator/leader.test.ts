import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { leaseSeconds, takeOverMs, TwoOperators } from './two-operators.ts';

const timeoutMs = 60_000;

describeWithCluster('two operators', function () {
  let two: TwoOperators;

  before(async function () {
    this.timeout(120_000);
    two = await TwoOperators.prepare();
  });

  beforeEach(() => two.begin());

  afterEach(() => two.end());

  after(async function () {
    this.timeout(30_000);
    await two.stop();
  });

  it('one works, and the other takes over within the lease when it is killed', async () => {
    const [a, b] = await two.startBoth();
    await eventually('ten more writes', () => two.work().length > 10);
    expect(new Set(two.work().map(({ user }) => user))).to.deep.equal(new Set(['operator-a']));
    expect(b.messages).not.to.include('lease acquired');
    await a.end();
    const killedMs = performance.now();
    await two.written('operator-b');
    expect(performance.now() - killedMs).to.be.below(takeOverMs);
    expect(two.stray()).to.deep.equal([]);
  }).timeout(timeoutMs);

  it('never write both: one is stopped for twice the lease and goes on', async () => {
    const [a] = await two.startBoth();
    a.kill('SIGSTOP');
    const stoppedMs = performance.now();
    await two.written('operator-b');
    await eventually('twice the lease', () => performance.now() - stoppedMs > 2 * leaseSeconds * 1000);
    a.kill('SIGCONT');
    expect(await a.ended, 'it gives up, to be started anew').to.equal(1);
    await two.written('operator-b');
    expect(a.messages).to.include('lease lost');
    expect(two.stray()).to.deep.equal([]);
  }).timeout(timeoutMs);

  it('hand over at once when the first is asked to end', async () => {
    const [a] = await two.startBoth();
    a.kill('SIGTERM');
    const askedMs = performance.now();
    await two.written('operator-b');
    expect(performance.now() - askedMs).to.be.below(3_000);
    expect(await a.ended).to.equal(0);
    expect(two.stray()).to.deep.equal([]);
  }).timeout(timeoutMs);

  it('do not care for each other’s clock: that of the second is an hour ahead', async () => {
    // Node asks the wall clock by Date alone; what is measured goes by another clock.
    const ahead =
      'const now = Date.now; Date = class extends Date { constructor(...given) { super(...(given.length ? given : [now() + 3.6e6])); } static now() { return now() + 3.6e6; } };';
    const [a, b] = await two.startBoth([`--import=data:text/javascript,${encodeURIComponent(ahead)}`]);
    const sinceMs = performance.now();
    await eventually('twice the lease', () => performance.now() - sinceMs > 2 * leaseSeconds * 1000);
    await two.written('operator-a');
    expect(b.messages).not.to.include('lease acquired');
    expect(b.times.at(-1)?.getTime(), 'its clock is ahead').to.be.above(Date.now() + 3_000_000);
    await a.end();
    await two.written('operator-b');
    expect(two.stray()).to.deep.equal([]);
  }).timeout(timeoutMs);
});
