import { expect } from 'chai';
import { SharedCount } from '../../../src/relay/limits/count.ts';
import { TakenMemory } from '../../../src/relay/limits/taken-memory.ts';

const threads = 3;

/** Cells for a sum and the share of each thread. */
function cells(): BigInt64Array {
  return new BigInt64Array(new SharedArrayBuffer(8 * (threads + 1)));
}

describe('a count that threads share', () => {
  it('is the sum of all, and gives back the share of one that has ended', () => {
    const shared = cells();
    const counts = Array.from({ length: threads }, (_, thread) => new SharedCount(shared, thread));
    const [main, first, second] = counts as [SharedCount, SharedCount, SharedCount];
    main.add(5);
    expect(first.add(2)).to.equal(7);
    second.add(4);
    second.add(-1);
    main.giveBack(2);
    expect(counts.map(({ value }) => value)).to.deep.equal([7, 7, 7]);
    main.giveBack(2); // nothing is left
    expect(main.value).to.equal(7);
  });
});

describe('memory that threads take together', () => {
  it('is tight from half of the budget on, and short from all of it on until an eighth is free', () => {
    const shared = cells();
    const pressure = new Int32Array(new SharedArrayBuffer(8));
    const changes: number[] = [];
    const of = (thread: number): TakenMemory =>
      new TakenMemory(800, { bytes: new SharedCount(shared, thread), pressure }, () => {
        changes.push(thread);
      });
    const [main, worker] = [of(0), of(1)];
    const state = (): boolean[] => [main, worker].flatMap(({ isTight, isShort }) => [isTight, isShort]);
    main.take(399);
    expect(state()).to.deep.equal([false, false, false, false]);
    worker.take(1);
    expect(state()).to.deep.equal([true, false, true, false]);
    worker.take(400);
    expect(state()).to.deep.equal([true, true, true, true]);
    main.release(99);
    expect(main.isShort).to.equal(true);
    main.release(2); // the other thread has made it short
    expect(state()).to.deep.equal([true, false, true, false]);
    expect(changes).to.deep.equal([1, 0]);
    worker.take(101);
    new SharedCount(shared, 0).giveBack(1);
    main.update();
    expect(state()).to.deep.equal([false, false, false, false]);
    expect(changes).to.deep.equal([1, 0, 1, 0]);
  });
});
