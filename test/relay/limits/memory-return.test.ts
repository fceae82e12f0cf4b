import { expect } from 'chai';
import { returnMemory } from '../../../src/relay/limits/memory-return.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const mebibyte = 1024 * 1024;
/** CPU milliseconds of ten seconds. */
const [idle, busy] = [100, 5000];

/** What ten seconds bring; `left` MiB are in use after a collection. */
type Tick = {
  readonly mebibytes: number;
  readonly cpuMs: number;
  readonly left?: number;
  readonly collected: number;
};

describe('memory return', () => {
  const scenarios: readonly { readonly why: string; readonly ticks: readonly Tick[] }[] = [
    {
      why: 'once, when it is quiet after it has grown by 16 MiB',
      ticks: [
        { mebibytes: 75, cpuMs: idle, collected: 0 },
        { mebibytes: 76, cpuMs: busy, collected: 0 },
        { mebibytes: 400, cpuMs: busy, collected: 0 },
        { mebibytes: 400, cpuMs: idle, collected: 1 },
        { mebibytes: 61, cpuMs: idle, collected: 1 },
      ],
    },
    {
      why: 'later each time while much is in use, and at once after the next flood',
      ticks: [
        { mebibytes: 200, cpuMs: idle, left: 190, collected: 1 },
        { mebibytes: 190, cpuMs: idle, left: 190, collected: 1 },
        { mebibytes: 190, cpuMs: idle, left: 190, collected: 2 },
        { mebibytes: 190, cpuMs: idle, left: 190, collected: 2 },
        { mebibytes: 190, cpuMs: idle, left: 190, collected: 2 },
        { mebibytes: 190, cpuMs: idle, left: 190, collected: 2 },
        { mebibytes: 190, cpuMs: idle, collected: 3 },
        { mebibytes: 60, cpuMs: idle, collected: 3 },
        { mebibytes: 190, cpuMs: idle, collected: 4 },
      ],
    },
    {
      why: 'if it has grown since its least, not since the start',
      ticks: [
        { mebibytes: 50, cpuMs: busy, collected: 0 },
        { mebibytes: 66, cpuMs: idle, collected: 1 },
      ],
    },
  ];
  for (const { why, ticks } of scenarios) {
    it(`collects ${why}`, async () => {
      const clock = new FakeClock();
      let [mebibytes, cpuMs, left, collected] = [60, 0, 60, 0];
      const stop = returnMemory(clock, {
        residentBytes: () => mebibytes * mebibyte,
        cpuMs: () => cpuMs,
        collect: () => {
          mebibytes = left;
          collected += 1;
          return Promise.resolve();
        },
      });
      for (const tick of ticks) {
        left = tick.left ?? 60;
        mebibytes = tick.mebibytes;
        cpuMs += tick.cpuMs;
        clock.advance(10_000);
        await Promise.resolve();
        expect(collected, JSON.stringify(tick)).to.equal(tick.collected);
      }
      stop();
      mebibytes = 1000;
      clock.advance(10_000);
      expect(collected).to.equal(ticks.at(-1)?.collected);
    });
  }

  it('collects the garbage of this process', async () => {
    const clock = new FakeClock();
    const stop = returnMemory(clock);
    const garbage = new WeakRef(flood());
    clock.advance(10_000);
    await eventually('the collection', () => garbage.deref() === undefined);
    stop();
  });
});

/** @returns 64 MiB that are resident. */
function flood(): Buffer {
  return Buffer.alloc(64 * mebibyte, 1);
}
