import { expect } from 'chai';
import fc from 'fast-check';
import { EvictionOrder } from '../../../src/relay/udp/eviction-order.ts';

describe('eviction order', () => {
  it('finds nothing among no items', () => {
    expect(new EvictionOrder(new Set<{ lastMs: number }>()).longestIdle()).to.equal(undefined);
  });

  it('always finds the item that has been idle for longest, whatever was added, removed or active meanwhile', () => {
    const step = fc.oneof(
      { weight: 2, arbitrary: fc.constant({ act: 'add' as const, at: 0 }) },
      { weight: 3, arbitrary: fc.record({ act: fc.constant('busy' as const), at: fc.nat(50) }) },
      { weight: 1, arbitrary: fc.record({ act: fc.constant('remove' as const), at: fc.nat(50) }) },
      { weight: 2, arbitrary: fc.constant({ act: 'evict' as const, at: 0 }) },
      { weight: 1, arbitrary: fc.constant({ act: 'forget' as const, at: 0 }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const all = new Set<{ lastMs: number }>();
        const order = new EvictionOrder(all);
        const acts = {
          add: (now: number) => all.add({ lastMs: now }),
          busy: (now: number, one?: { lastMs: number }) => one !== undefined && (one.lastMs = now),
          remove: (_now: number, one?: { lastMs: number }) => one !== undefined && all.delete(one),
          forget: () => {
            order.forget();
          },
          evict: () => {
            const longest = order.longestIdle();
            const idlest = [...all].toSorted((a, b) => a.lastMs - b.lastMs)[0];
            expect(longest?.lastMs).to.equal(idlest?.lastMs);
            if (longest !== undefined) all.delete(longest);
          },
        };
        for (const [now, { act, at }] of steps.entries())
          acts[act](now, [...all][at % Math.max(1, all.size)]);
      }),
    );
  });
});
