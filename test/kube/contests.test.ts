import { expect } from 'chai';
import { Contests } from '../../src/kube/contests.ts';
import { FakeClock } from '../support/fake-clock.ts';

const key = 'Service/edge/web';

describe('Contests', () => {
  let clock: FakeClock;
  let contests: Contests;

  beforeEach(() => {
    clock = new FakeClock();
    contests = new Contests(clock);
  });

  /** Others undo it at once, and we write it as soon as we may. Returns how long that took, in milliseconds. */
  function round(hash = 'a'): number {
    const waitMs = contests.undone(key, hash)?.waitMs ?? 0;
    clock.advance(waitMs);
    expect(contests.undone(key, hash)?.waitMs ?? 0, 'it may be written then').to.equal(0);
    contests.written(key, hash);
    return waitMs;
  }

  it('lets two repairs pass, then has each wait twice as long, up to five minutes', () => {
    contests.written(key, 'a');
    const waits = Array.from({ length: 13 }, () => round() / 1000);
    expect(waits).to.deep.equal([0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

  it('counts what is undone once, however often it is looked at', () => {
    contests.written(key, 'a');
    for (const _round of [1, 2]) round();
    const seen = [1, 2, 3].map(() => contests.undone(key, 'a'));
    expect(seen.map((contest) => contest?.waitMs)).to.deep.equal([1_000, 1_000, 1_000]);
    expect(seen.map((contest) => contest?.isNews)).to.deep.equal([true, false, false]);
  });

  it('measures the wait from the last write, so that what is undone rarely is repaired at once', () => {
    contests.written(key, 'a');
    for (const _round of [1, 2, 3, 4, 5]) {
      clock.advance(60_000);
      expect(round()).to.equal(0);
    }
  });

  it('starts from the beginning after five quiet minutes, and when something else is wanted', () => {
    contests.written(key, 'a');
    for (const _round of [1, 2, 3, 4]) round();
    clock.advance(300_000);
    expect(contests.undone(key, 'a')).to.equal(undefined);
    contests.written(key, 'a');
    for (const _round of [1, 2, 3]) round();
    expect(contests.undone(key, 'b'), 'a new spec').to.equal(undefined);
    contests.written(key, 'b');
    expect(contests.undone(key, 'b')).to.equal(undefined);
  });

  it('knows an object as contested until it was left alone for half a minute', () => {
    contests.written(key, 'a');
    expect(contests.asWanted(key)).to.equal(undefined);
    for (const _round of [1, 2, 3]) round();
    expect(contests.asWanted(key)).to.deep.equal({ waitMs: 0, againMs: 30_000, isNews: false });
    clock.advance(29_000);
    expect(contests.asWanted(key)?.againMs).to.equal(1_000);
    clock.advance(1_000);
    expect(contests.asWanted(key)).to.equal(undefined);
  });

  it('remembers 32,768 objects, those that were written last', () => {
    contests.written(key, 'a');
    for (const _round of [1, 2]) round();
    for (let index = 0; index < 32_768; index += 1) contests.written(`Service/edge/${String(index)}`, 'a');
    expect(contests.undone(key, 'a')).to.equal(undefined);
  });

  it('forgets what we deleted ourselves', () => {
    contests.written(key, 'a');
    for (const _round of [1, 2]) round();
    contests.forget(key);
    expect(contests.undone(key, 'a')).to.equal(undefined);
  });
});
