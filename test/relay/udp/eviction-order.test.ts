import { expect } from 'chai';
import fc from 'fast-check';
import { EvictionOrder } from '../../../src/relay/udp/eviction-order.ts';

type Item = { readonly sinceMs: number; lastMs: number; isAnswered: boolean };

/** The first to go: the oldest without an answer, else the idlest. */
function expected(all: readonly Item[]): Item | undefined {
  const [oldest] = all.filter(({ isAnswered }) => !isAnswered).toSorted((a, b) => a.sinceMs - b.sinceMs);
  return oldest ?? all.toSorted((a, b) => a.lastMs - b.lastMs)[0];
}

describe('eviction order', () => {
  it('finds nothing among no items', () => {
    expect(new EvictionOrder<Item>().next()).to.equal(undefined);
  });

  it('finds the oldest item without an answer, else the longest idle, whatever happened meanwhile', () => {
    const step = fc.oneof(
      { weight: 2, arbitrary: fc.constant({ act: 'add' as const, at: 0 }) },
      { weight: 2, arbitrary: fc.record({ act: fc.constant('answer' as const), at: fc.nat(50) }) },
      { weight: 3, arbitrary: fc.record({ act: fc.constant('busy' as const), at: fc.nat(50) }) },
      { weight: 1, arbitrary: fc.record({ act: fc.constant('remove' as const), at: fc.nat(50) }) },
      { weight: 2, arbitrary: fc.constant({ act: 'evict' as const, at: 0 }) },
      { weight: 1, arbitrary: fc.constant({ act: 'forget' as const, at: 0 }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const all = new Set<Item>();
        const order = new EvictionOrder<Item>();
        const remove = (item: Item): void => {
          order.remove(item);
          all.delete(item);
        };
        const acts = {
          add: (now: number) => {
            const item = { sinceMs: now, lastMs: now, isAnswered: false };
            all.add(item);
            order.add(item);
          },
          answer: (now: number, one?: Item) => {
            if (one === undefined || one.isAnswered) return;
            Object.assign(one, { lastMs: now, isAnswered: true });
            order.answered(one);
          },
          busy: (now: number, one?: Item) => one !== undefined && (one.lastMs = now),
          remove: (_now: number, one?: Item) => {
            if (one !== undefined) remove(one);
          },
          forget: () => {
            order.forget();
          },
          evict: () => {
            const next = order.next();
            const right = expected([...all]);
            expect(next).to.deep.equal(right);
            if (next !== undefined) remove(next);
          },
        };
        for (const [now, { act, at }] of steps.entries())
          acts[act](now, [...all][at % Math.max(1, all.size)]);
      }),
    );
  });
});
