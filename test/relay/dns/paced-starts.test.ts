import { expect } from 'chai';
import { PacedStarts } from '../../../src/relay/dns/paced-starts.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';

describe('starts of lookups', () => {
  const running = new AbortController().signal;

  /** `count` lookups that never end, and in which order they start. */
  function silent(starts: PacedStarts, started: number[], count: number): void {
    for (let index = 0; index < count; index += 1) {
      void starts.run(() => {
        started.push(index);
        return new Promise<never>(() => undefined);
      }, running);
    }
  }

  it('are 64 at once, and as many every 50 ms while none ends, in their order', async () => {
    const clock = new FakeClock();
    const started: number[] = [];
    silent(new PacedStarts(clock), started, 200);
    for (const [afterMs, count] of [
      [0, 64],
      [49, 64],
      [1, 128],
      [50, 192],
      [50, 200],
    ] as const) {
      clock.advance(afterMs);
      await eventually('the starts', () => started.length >= count);
      expect(started).to.deep.equal(Array.from({ length: count }, (_, index) => index));
    }
    expect(clock.timers).to.equal(8);
  });

  it('follow at once when others end', async () => {
    const starts = new PacedStarts(new FakeClock());
    const started: number[] = [];
    silent(starts, started, 63);
    const quick = Array.from({ length: 100 }, (_, index) =>
      starts.run(() => Promise.resolve(index), running),
    );
    expect(await Promise.all(quick)).to.deep.equal(Array.from({ length: 100 }, (_, index) => index));
  });

  it('are given up by those who leave, and their turn goes to the next', async () => {
    const clock = new FakeClock();
    const starts = new PacedStarts(clock);
    silent(starts, [], 64);
    const client = new AbortController();
    const left = starts.run(() => Promise.resolve('started'), client.signal).catch(() => 'left');
    const next = starts.run(() => Promise.resolve('started'), running);
    client.abort();
    expect(await left).to.equal('left');
    clock.advance(50);
    expect(await next).to.equal('started');
  });
});
