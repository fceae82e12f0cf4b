import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { coalesced } from '../../src/lib/coalesced.ts';

describe('coalesced work', () => {
  let runs: PromiseWithResolvers<number>[];
  const work = coalesced(() => {
    const run = Promise.withResolvers<number>();
    runs.push(run);
    return run.promise;
  });
  beforeEach(() => (runs = []));

  it('runs at once', async () => {
    const result = work();
    runs[0]?.resolve(1);
    expect(await result).to.equal(1);
    expect(runs).to.have.lengthOf(1);
  });

  it('runs once more for any number of calls during a run, and never twice at a time', async () => {
    const first = work();
    const later = Array.from({ length: 1000 }, () => work());
    expect(runs).to.have.lengthOf(1);
    void runs[0]?.promise.then(() => later.push(work())); // between the two runs
    runs[0]?.resolve(1);
    await first;
    await nextTurn();
    runs[1]?.resolve(2);
    expect(new Set(await Promise.all(later))).to.deep.equal(new Set([2]));
    expect(runs).to.have.lengthOf(2);
  });

  it('runs again after a failure', async () => {
    const first = work().catch((error: unknown) => error);
    const second = work();
    const failure = new Error('a full disk');
    runs[0]?.reject(failure);
    expect(await first).to.equal(failure);
    await nextTurn();
    runs[1]?.resolve(2);
    expect(await second).to.equal(2);
  });
});
