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

  /** Others undo `paths` at once, and we write them as soon as we may. Returns how long that took, in milliseconds. */
  function round(paths: readonly string[] = ['.spec.a'], hash = 'a'): number {
    const waitMs = contests.undone(key, hash, paths)?.waitMs ?? 0;
    clock.advance(waitMs);
    expect(contests.undone(key, hash, paths)?.waitMs ?? 0, 'it may be written then').to.equal(0);
    contests.written(key, hash);
    return waitMs;
  }

  /** How long each of `count` rounds with the same `paths` takes, in seconds. */
  function rounds(count: number, paths?: readonly string[]): number[] {
    return Array.from({ length: count }, () => round(paths) / 1000);
  }

  it('lets two repairs pass, then has each wait twice as long, up to five minutes', () => {
    contests.written(key, 'a');
    expect(rounds(13)).to.deep.equal([0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

  it('counts what is undone once, however often it is looked at', () => {
    contests.written(key, 'a');
    for (const _round of [1, 2]) round();
    const seen = [1, 2, 3].map(() => contests.undone(key, 'a', ['.spec.a']));
    expect(seen.map((contest) => contest?.waitMs)).to.deep.equal([1_000, 1_000, 1_000]);
    expect(seen.map((contest) => contest?.isNews)).to.deep.equal([true, false, false]);
  });

  it('counts each field on its own, so that edits of several fields are no fight', () => {
    contests.written(key, 'a');
    for (const path of ['.spec.a', '.spec.b', '.spec.c', '.spec.d', '.metadata.labels.x'])
      expect(rounds(2, [path]), path).to.deep.equal([0, 0]);
    expect(rounds(3, ['.spec.e']), 'a fight over one of them').to.deep.equal([0, 0, 1]);
    expect(contests.undone(key, 'a', ['.spec.f']), 'an edit beside it').to.equal(undefined);
  });

  it('waits for the field that has to wait longest, of those that differ now', () => {
    contests.written(key, 'a');
    rounds(5, ['.spec.a']);
    expect(rounds(3, ['.spec.b']), 'without the other field').to.deep.equal([0, 0, 1]);
    const contest = contests.undone(key, 'a', ['.spec.c', '.spec.a', '.spec.b']);
    expect(contest).to.deep.equal({
      waitMs: 7_000, // 8 s after the last repair of .spec.a, 1 s of which has passed
      againMs: 7_000,
      isNews: true,
      paths: ['.spec.a', '.spec.b'],
    });
  });

  it('is news when a further field is contested, but not when a field is that differs once', () => {
    contests.written(key, 'a');
    rounds(3);
    expect(contests.undone(key, 'a', ['.spec.a'])?.isNews).to.equal(true);
    expect(contests.undone(key, 'a', ['.spec.a', '.spec.b'])?.isNews).to.equal(false);
  });

  it('damps a fight over any number of fields, at once and one after the other', () => {
    const many = Array.from({ length: 50 }, (_, index) => `.spec.f${String(index)}`);
    contests.written(key, 'a');
    expect(rounds(5, many), 'at once').to.deep.equal([0, 0, 1, 2, 4]);
    contests.written(key, 'other');
    contests.written(key, 'a');
    const waits = Array.from({ length: 10 }, () => many.map((path) => round([path]))).flat();
    expect(Math.max(...waits), 'one after the other').to.be.above(60_000);
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
    expect(contests.undone(key, 'a', ['.spec.a'])).to.equal(undefined);
    contests.written(key, 'a');
    for (const _round of [1, 2, 3]) round();
    expect(contests.undone(key, 'b', ['.spec.a']), 'a new spec').to.equal(undefined);
    contests.written(key, 'b');
    expect(contests.undone(key, 'b', ['.spec.a'])).to.equal(undefined);
  });

  it('knows an object as contested until it was left alone for half a minute', () => {
    contests.written(key, 'a');
    expect(contests.asWanted(key, 'a')).to.equal(undefined);
    for (const _round of [1, 2, 3]) round();
    expect(contests.asWanted(key, 'a')).to.deep.equal({
      waitMs: 0,
      againMs: 30_000,
      isNews: false,
      paths: [],
    });
    clock.advance(29_000);
    expect(contests.asWanted(key, 'a')?.againMs).to.equal(1_000);
    clock.advance(1_000);
    expect(contests.asWanted(key, 'a')).to.equal(undefined);
  });

  it('remembers 32,768 objects, those that were written last', () => {
    contests.written(key, 'a');
    for (const _round of [1, 2]) round();
    for (let index = 0; index < 32_768; index += 1) contests.written(`Service/edge/${String(index)}`, 'a');
    expect(contests.undone(key, 'a', ['.spec.a'])).to.equal(undefined);
  });

  it('forgets what we deleted ourselves', () => {
    contests.written(key, 'a');
    for (const _round of [1, 2]) round();
    contests.forget(key);
    expect(contests.undone(key, 'a', ['.spec.a'])).to.equal(undefined);
  });
});
