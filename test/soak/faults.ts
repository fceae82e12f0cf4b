import type { Random } from '../fuzz/mutator.ts';
import type { Cause } from './stream.ts';

/** A fault that has begun. */
export type ActiveFault = {
  /** Resolves when the fault has lasted long enough; by default after a number of streams. */
  readonly lasted?: Promise<unknown>;
  /** Ends it; resolves when nothing of it is left. */
  readonly end: () => Promise<void>;
};

/** Something that happens to a relay under load. */
export type Fault = {
  readonly name: string;
  /** What may happen to streams meanwhile. */
  readonly excuses: readonly Cause[];
  /** What may happen to streams that ran already when it began. */
  readonly excusesRunning?: readonly Cause[];
  readonly begin: (random: Random) => Promise<ActiveFault>;
};

/** When a fault was active, in milliseconds of the monotonic clock. */
type FaultWindow = { readonly fault: Fault; readonly fromMs: number; begunMs: number; toMs: number };

/** The faults of a run so far. */
export class FaultLog {
  readonly #windows: FaultWindow[] = [];

  /** Begins `fault` and opens its window. */
  async begin(fault: Fault, random: Random): Promise<ActiveFault & { readonly close: () => void }> {
    const window = { fault, fromMs: performance.now(), begunMs: Infinity, toMs: Infinity };
    this.#windows.push(window);
    const active = await fault.begin(random);
    window.begunMs = performance.now();
    const close = (): void => {
      window.toMs = performance.now();
    };
    return { ...active, close };
  }

  /** When a stream ran, from `beginMs` to `endMs`, and which fault was the last to begin before it ended; for people. */
  describe(beginMs: number, endMs: number): string {
    const last = this.#windows.findLast(({ fromMs }) => fromMs <= endMs);
    if (last === undefined) return 'before any fault';
    const [from, to] = [beginMs, endMs].map((ms) => ((ms - last.fromMs) / 1_000).toFixed(2));
    return `from ${String(from)} to ${String(to)} s of "${last.fault.name}"`;
  }

  /** How often each fault was injected. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { fault } of this.#windows) counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
    return counts;
  }

  /** The fault that excuses an error of a stream that lived from `beginMs` to `endMs`; undefined if none does. */
  excuse(cause: Cause, beginMs: number, endMs: number): string | undefined {
    const found = this.#windows.find(({ fault, fromMs, begunMs, toMs }) => {
      if (endMs < fromMs) return false;
      const isOfRunning = fault.excusesRunning?.includes(cause) ?? false;
      return (fault.excuses.includes(cause) && beginMs <= toMs) || (isOfRunning && beginMs <= begunMs);
    });
    return found?.fault.name;
  }
}

/** All of `faults` in a random order, again and again. */
export function* faultDeck(faults: readonly Fault[], random: Random): Generator<Fault, never> {
  for (;;) {
    const shuffled = faults.map((fault) => ({ fault, rank: random() }));
    yield* shuffled.toSorted((a, b) => a.rank - b.rank).map(({ fault }) => fault);
  }
}
