import { expect } from 'chai';
import { within } from '../../src/lib/within.ts';
import { FakeClock } from '../support/fake-clock.ts';

describe('within', () => {
  const never = new Promise<never>(() => undefined);
  const cases: { work: () => Promise<unknown>; passMs: number; why: string }[] = [
    { work: () => Promise.resolve(1), passMs: 0, why: 'the work has ended' },
    { work: () => Promise.reject(new Error('no')), passMs: 0, why: 'the work has failed' },
    { work: () => never, passMs: 1_000, why: 'the time is over' },
  ];
  for (const { work, passMs, why } of cases) {
    it(`resolves once ${why}, and leaves no timer`, async () => {
      const clock = new FakeClock();
      const ended = within(clock, 1_000, work());
      clock.advance(passMs);
      await ended;
      expect(clock.timers).to.equal(0);
    });
  }
});
