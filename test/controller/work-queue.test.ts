import { expect } from 'chai';
import fc from 'fast-check';
import { WorkQueue } from '../../src/controller/work-queue.ts';
import { FakeClock } from '../support/fake-clock.ts';

const backoff = { initialMs: 1_000, maxMs: 8_000 };

function setUp(): { clock: FakeClock; queue: WorkQueue<string> } {
  const clock = new FakeClock();
  return { clock, queue: new WorkQueue<string>({ clock, backoff, random: () => 0.999_999 }) };
}

describe('WorkQueue', () => {
  it('hands out keys in the order in which they came, each once', async () => {
    const { queue } = setUp();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.depth).to.equal(3);
    expect([await queue.next(), await queue.next(), await queue.next()]).to.deep.equal(['a', 'b', 'c']);
  });

  it('gives a key that is added while it is worked on another turn, after the others', async () => {
    const { queue } = setUp();
    queue.add('a');
    await queue.next();
    queue.add('a');
    queue.add('b');
    queue.done('a');
    expect([await queue.next(), await queue.next()]).to.deep.equal(['b', 'a']);
  });

  it('wakes a worker that waits', async () => {
    const { queue } = setUp();
    const next = queue.next();
    queue.add('a');
    expect(await next).to.equal('a');
  });

  it('counts what becomes of keys, and for how long', async () => {
    const clock = new FakeClock();
    const told: string[] = [];
    const observer = {
      added: () => told.push('added'),
      retried: () => told.push('retried'),
      taken: (seconds: number) => told.push(`taken ${String(seconds)}`),
      done: (seconds: number) => told.push(`done ${String(seconds)}`),
    };
    const queue = new WorkQueue<string>({ clock, backoff, random: () => 0, observer });
    queue.add('a');
    queue.add('a');
    clock.advance(1_000);
    await queue.next();
    clock.advance(500);
    expect(queue.processingSeconds).to.deep.equal([0.5]);
    queue.add('a');
    clock.advance(1_500);
    queue.done('a');
    clock.advance(1_000);
    await queue.next();
    queue.retry('a');
    queue.done('a');
    expect(told).to.deep.equal(['added', 'taken 1', 'added', 'done 2', 'taken 2.5', 'retried', 'done 0']);
    expect(queue.processingSeconds).to.deep.equal([]);
  });

  it('retries at once what waits for a retry, and nothing else', async () => {
    const { queue } = setUp();
    for (const key of ['a', 'b', 'c']) queue.add(key);
    for (const key of ['a', 'b', 'c']) {
      await queue.next();
      if (key === 'a') queue.retry(key);
      if (key === 'b') queue.addAfter(key, 60_000);
      queue.done(key);
    }
    queue.retryNow();
    expect(queue.depth).to.equal(1);
    expect(await queue.next()).to.equal('a');
    expect(queue.failures('a'), 'it goes on to count').to.equal(1);
  });

  it('adds after a delay, the sooner of two', async () => {
    const { queue, clock } = setUp();
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 500);
    queue.addAfter('a', 2_000);
    clock.advance(499);
    expect(queue.depth).to.equal(0);
    clock.advance(1);
    expect(queue.depth).to.equal(1);
    await queue.next();
    queue.done('a');
    clock.advance(10_000);
    expect(queue.depth, 'the others are void').to.equal(0);
  });

  it('lets a turn that comes sooner take the place of a delayed one', async () => {
    const { queue, clock } = setUp();
    queue.addAfter('a', 1_000);
    queue.add('a');
    await queue.next();
    expect(clock.timers).to.equal(0);
  });

  it('waits longer after every failure in a row, up to the most, key by key', () => {
    const { queue } = setUp();
    const waits = [1, 2, 3, 4, 5].map(() => queue.retry('a'));
    expect(waits).to.deep.equal([1_000, 2_000, 4_000, 8_000, 8_000]);
    expect(queue.retry('b')).to.equal(1_000);
    queue.forget('a');
    expect(queue.retry('a')).to.equal(1_000);
  });

  /** The keys in the order of their turns, each handed back before the next. */
  async function turns(queue: WorkQueue<string>): Promise<string[]> {
    const keys: string[] = [];
    while (queue.depth > 0) {
      const key = (await queue.next()) ?? '';
      keys.push(key);
      queue.done(key);
    }
    return keys;
  }

  it('serves news before what waits in the background, however long that has', async () => {
    const { queue } = setUp();
    for (const key of ['a', 'b']) queue.add(key, 'background');
    for (const key of ['c', 'd']) queue.add(key);
    expect(queue.depth).to.equal(4);
    expect(await turns(queue)).to.deep.equal(['c', 'd', 'a', 'b']);
  });

  it('lets a key that waits in the background come with the news it gets, and not the other way round', async () => {
    const { queue } = setUp();
    for (const key of ['a', 'b', 'c']) queue.add(key, 'background');
    queue.add('c');
    queue.add('c', 'background');
    expect(queue.depth).to.equal(3);
    expect(await turns(queue)).to.deep.equal(['c', 'a', 'b']);
  });

  it('keeps the more urgent of what a key is added for while it is worked on', async () => {
    const { queue } = setUp();
    queue.add('a');
    await queue.next();
    for (const urgency of ['background', 'news', 'background'] as const) queue.add('a', urgency);
    queue.add('b', 'background');
    queue.done('a');
    expect(await turns(queue)).to.deep.equal(['a', 'b']);
  });

  it('lets the background have every tenth turn, so that it does not wait for ever', async () => {
    const { queue } = setUp();
    for (const key of ['old', 'older']) queue.add(key, 'background');
    const news = Array.from({ length: 20 }, (_, index) => `new-${String(index)}`);
    for (const key of news) queue.add(key);
    const order = await turns(queue);
    expect([order.indexOf('old'), order.indexOf('older')]).to.deep.equal([9, 19]);
    expect(order.filter((key) => key.startsWith('new'))).to.deep.equal(news);
  });

  it('retries with the urgency of the turn that failed', async () => {
    const { queue, clock } = setUp();
    queue.add('a', 'background');
    await queue.next();
    queue.retry('a');
    queue.done('a');
    clock.advance(1_000);
    queue.add('b');
    expect(await turns(queue)).to.deep.equal(['b', 'a']);
  });

  it('resyncs a tenth sooner or later than requested, in the background', async () => {
    const clock = new FakeClock();
    const randoms = [0, 0.5, 0.999_999];
    const queue = new WorkQueue<string>({ clock, backoff, random: () => randoms.shift() ?? 0 });
    for (const key of ['a', 'b', 'c']) queue.resyncAfter(key, 10_000);
    const depths = [8_999, 1, 999, 1, 999, 1].map((elapsedMs) => {
      clock.advance(elapsedMs);
      return queue.depth;
    });
    expect(depths).to.deep.equal([0, 1, 1, 2, 2, 3]);
    queue.add('d');
    expect(await turns(queue)).to.deep.equal(['d', 'a', 'b', 'c']);
  });

  it('has few timers for many keys that are to be resynced, and none for those that need not be', async () => {
    const clock = new FakeClock();
    const queue = new WorkQueue<string>({ clock, backoff });
    const keys = Array.from({ length: 5_000 }, (_, index) => `key-${String(index)}`);
    for (const key of keys) {
      queue.resyncAfter(key, 36_000_000);
      clock.advance(1);
    }
    expect(clock.timers).to.be.below(250);
    for (const key of keys) queue.add(key);
    await turns(queue);
    expect(clock.timers).to.equal(0);
  });

  it('gives a key with two delayed turns one, for news if either is', async () => {
    const { queue, clock } = setUp();
    queue.addAfter('a', 1_000, 'background');
    queue.addAfter('a', 2_000, 'news');
    queue.addAfter('b', 500, 'background');
    clock.advance(1_000);
    expect(await turns(queue)).to.deep.equal(['a', 'b']);
    expect(clock.timers).to.equal(0);
  });

  it('lets every worker go when it is closed, and leaves no timer', async () => {
    const { queue, clock } = setUp();
    const waiting = [queue.next(), queue.next()];
    queue.addAfter('a', 1_000);
    queue.close();
    queue.add('b');
    expect(await Promise.all([...waiting, queue.next()])).to.deep.equal([undefined, undefined, undefined]);
    expect(clock.timers).to.equal(0);
  });

  it('never works on a key twice at a time, and loses none', async () => {
    const act = fc.constantFrom(
      'add' as const,
      'addToBackground' as const,
      'addAfter' as const,
      'advance' as const,
      'take' as const,
      'finish' as const,
    );
    const step = fc.tuple(act, fc.constantFrom('a', 'b', 'c', 'd'));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const trial = new Trial();
        for (const [name, key] of steps) await trial[name](key);
        expect(await trial.owedAtEnd()).to.deep.equal([]);
      }),
    );
  });
});

/** A queue with a worker that notes what it is owed: the keys that were added since their last turn began. */
class Trial {
  readonly #clock = new FakeClock();
  readonly #queue = new WorkQueue<string>({ clock: this.#clock, backoff });
  readonly #working: string[] = [];
  readonly #owed = new Set<string>();

  add(key: string): void {
    this.#owed.add(key);
    this.#queue.add(key);
  }

  addToBackground(key: string): void {
    this.#owed.add(key);
    this.#queue.add(key, 'background');
  }

  addAfter(key: string): void {
    this.#owed.add(key);
    this.#queue.addAfter(key, 100);
  }

  advance(): void {
    this.#clock.advance(100);
  }

  async take(): Promise<void> {
    if (this.#queue.depth === 0) return;
    const key = (await this.#queue.next()) ?? '';
    expect(this.#working).not.to.include(key);
    this.#working.push(key);
    this.#owed.delete(key);
  }

  finish(): void {
    const key = this.#working.shift();
    if (key !== undefined) this.#queue.done(key);
  }

  async owedAtEnd(): Promise<string[]> {
    this.advance();
    while (this.#working.length > 0 || this.#queue.depth > 0) {
      await this.take();
      this.finish();
    }
    return [...this.#owed];
  }
}
