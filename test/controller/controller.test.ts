import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import { type Action, awaitChange, requeueAfter, resyncAfter } from '../../src/controller/action.ts';
import { Controller, type ControllerOptions, type Outcome } from '../../src/controller/controller.ts';
import { WorkQueue } from '../../src/controller/work-queue.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { FakeClock } from '../support/fake-clock.ts';

class BoomError extends Error {}
class ConflictError extends Error {}

/** A controller whose turns are settled by the test, one by one. */
function setUp(
  workers = 1,
  spareWorkers = 0,
): {
  clock: FakeClock;
  queue: WorkQueue<string>;
  controller: Controller<string>;
  turns: { key: string; end: (action: Action) => void; fail: (error: Error) => void }[];
  outcomes: Outcome[];
} {
  const clock = new FakeClock();
  const queue = new WorkQueue<string>({
    clock,
    backoff: { initialMs: 1_000, maxMs: 8_000 },
    random: () => 0,
  });
  const turns: { key: string; end: (action: Action) => void; fail: (error: Error) => void }[] = [];
  const outcomes: Outcome[] = [];
  const options: ControllerOptions<string> = {
    reconcile: (key) => {
      const { promise, resolve, reject } = Promise.withResolvers<Action>();
      turns.push({ key, end: resolve, fail: reject });
      return promise;
    },
    queue,
    workers,
    spareWorkers,
    clock,
    log: createLogger('off'),
    isConflict: (error) => error instanceof ConflictError,
    onTurn: (outcome) => outcomes.push(outcome),
  };
  return { clock, queue, turns, outcomes, controller: new Controller(options) };
}

/** Lets what is settled take effect. */
async function tick(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await setImmediate();
}

describe('Controller', () => {
  type Turn = ReturnType<typeof setUp>['turns'][number];
  const cases: { outcome: Outcome; end: (turn: Turn) => void; nextMs: number | undefined; why: string }[] = [
    {
      outcome: 'awaitChange',
      end: (turn) => {
        turn.end(awaitChange);
      },
      nextMs: undefined,
      why: 'there is no turn without a change',
    },
    {
      outcome: 'requeueAfter',
      end: (turn) => {
        turn.end(requeueAfter(7_000));
      },
      nextMs: 7_000,
      why: 'the next turn is when it asked',
    },
    {
      outcome: 'resyncAfter',
      end: (turn) => {
        turn.end(resyncAfter(10_000));
      },
      nextMs: 9_000,
      why: 'the next turn is about when it asked',
    },
    {
      outcome: 'error',
      end: (turn) => {
        turn.fail(new BoomError());
      },
      nextMs: 500,
      why: 'the next turn is after the backoff',
    },
    {
      outcome: 'conflict',
      end: (turn) => {
        turn.fail(new ConflictError());
      },
      nextMs: 500,
      why: 'someone else was faster',
    },
  ];

  for (const { outcome, end, nextMs, why } of cases) {
    it(`${outcome}: ${why}`, async () => {
      const { clock, queue, turns, outcomes, controller } = setUp();
      controller.start();
      queue.add('a');
      await tick();
      const [turn] = turns;
      if (turn !== undefined) end(turn);
      await tick();
      expect(outcomes).to.deep.equal([outcome]);
      clock.advance((nextMs ?? 100_000) - 1);
      await tick();
      expect(turns).to.have.lengthOf(1);
      clock.advance(1);
      await tick();
      expect(turns).to.have.lengthOf(nextMs === undefined ? 1 : 2);
    });
  }

  it('works on as many keys at a time as it has workers, and a failure touches no other', async () => {
    const { queue, turns, controller } = setUp(2);
    controller.start();
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await tick();
    expect(turns.map(({ key }) => key)).to.deep.equal(['a', 'b']);
    turns[0]?.fail(new BoomError());
    await tick();
    expect(turns.map(({ key }) => key)).to.deep.equal(['a', 'b', 'c']);
  });

  it('lets spare workers take the place of turns that take long, and goes when these end', async () => {
    const { clock, queue, turns, controller } = setUp(1, 2);
    controller.start();
    const seen = async (): Promise<string[]> => {
      await tick();
      return turns.map(({ key }) => key);
    };
    for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key);
    expect(await seen()).to.deep.equal(['a']);
    clock.advance(999);
    expect(await seen(), 'not yet').to.deep.equal(['a']);
    clock.advance(1);
    expect(await seen(), 'in the place of a').to.deep.equal(['a', 'b']);
    clock.advance(1_000);
    expect(await seen(), 'in the place of b').to.deep.equal(['a', 'b', 'c']);
    clock.advance(1_000);
    expect(await seen(), 'there are no more').to.deep.equal(['a', 'b', 'c']);
    turns[0]?.end(awaitChange);
    expect(await seen(), 'a was replaced').to.deep.equal(['a', 'b', 'c']);
    turns[2]?.end(awaitChange);
    expect(await seen()).to.deep.equal(['a', 'b', 'c', 'd']);
    const stopping = controller.stop();
    for (const { end } of turns) end(awaitChange);
    await stopping;
    expect(await seen()).to.deep.equal(['a', 'b', 'c', 'd']);
  });

  it('lets the turns under way end when it stops, and begins no other', async () => {
    const { queue, turns, controller } = setUp();
    controller.start();
    queue.add('a');
    queue.add('b');
    await tick();
    let stopped = false;
    const stopping = controller.stop().then(() => {
      stopped = true;
    });
    await tick();
    expect(stopped).to.be.false;
    turns[0]?.end(requeueAfter(1));
    await stopping;
    expect(turns).to.have.lengthOf(1);
  });

  it('lets other work be done between turns that wait for nothing', async () => {
    const { queue, clock } = setUp();
    let turns = 0;
    const reconcile = (): Promise<Action> => {
      turns += 1;
      return Promise.resolve(awaitChange);
    };
    const controller = new Controller({ reconcile, queue, workers: 4, clock, log: createLogger('off') });
    for (let key = 0; key < 1_000; key += 1) queue.add(String(key));
    controller.start();
    await setImmediate();
    expect(turns).to.be.within(1, 100);
    await controller.stop();
  });
});
