/** The counts of a histogram, which add up. */
export type HistogramCounts = {
  /** Values by the bound that they do not exceed, the last for those above every bound; not cumulative. */
  readonly counts: readonly number[];
  /** Of all values, in seconds. */
  readonly sum: number;
};

/** Upper bounds of the time that a client waits for a remote, in seconds. */
export const dialBounds: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Upper bounds of how long a connection lasts, in seconds: from 10 ms to a day. */
export const connectionBounds: readonly number[] = [0.01, 0.1, 1, 10, 60, 300, 1800, 3600, 14_400, 86_400];

/** A histogram that counts into an array of fixed length, so that a value costs a few comparisons and no memory. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  /** @param bounds  in seconds, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** Counts a duration of `ms` milliseconds. */
  observe(ms: number): void {
    const seconds = ms / 1000;
    let bucket = 0;
    // Bounds are few, and most values are among the first.
    while (bucket < this.#bounds.length && seconds > (this.#bounds[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += seconds;
  }

  get counts(): HistogramCounts {
    return { counts: [...this.#counts], sum: this.#sum };
  }
}

/** The counts of a histogram with `bounds` that has no values. */
export function noCounts(bounds: readonly number[]): HistogramCounts {
  return { counts: Array.from({ length: bounds.length + 1 }, () => 0), sum: 0 };
}
