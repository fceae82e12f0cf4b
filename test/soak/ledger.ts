import { type Point, slope, type Slope } from './slope.ts';
import type { Sample } from './soak.ts';
import { kinds, type Kind, type Stream, type Verdict } from './stream.ts';

/** Growth for each 1,000 streams that counts as flat: a confidence interval above it is a leak. */
export const allowedGrowth: Readonly<Record<string, number>> = {
  'RSS, KiB': 128,
  descriptors: 0.2,
  timers: 0.2,
};

/** Fewer streams or samples show the warming up of a process rather than its growth. */
const fewestStreams = 5_000;
const fewestSamples = 12;
/** The first samples of a process are left out: its heap and its code are still warming up. */
const warmUp = 0.3;

/** Counts of the streams of one kind. */
export type KindCounts = { streams: number; whole: number; errors: number; bytes: number };

/** How an amount of one process grew, for each 1,000 streams. */
export type Growth = {
  readonly process: string;
  readonly what: string;
  readonly slope: Slope;
  readonly samples: number;
};

/** What a run found. */
export class Ledger {
  readonly kinds = new Map<Kind, KindCounts>(
    kinds.map((kind) => [kind, { streams: 0, whole: 0, errors: 0, bytes: 0 }]),
  );
  /** Errors that a fault excuses, by cause and fault. */
  readonly errors = new Map<string, number>();
  readonly violations: string[] = [];
  /** How often each fault was injected. */
  faults: ReadonlyMap<string, number> = new Map();
  /** Datagrams that a client sent again, since no answer came for a while. */
  sentAgain = 0;
  readonly #series = new Map<string, Map<string, Point[]>>();

  /** Counts a stream that has ended; `excuse`: the fault that explains its error. */
  count({ plan, client, remote }: Stream, verdict: Verdict, excuse: string | undefined): void {
    const counts = this.kinds.get(plan.kind);
    if (counts === undefined) return;
    counts.streams += 1;
    counts.bytes += client.expected.received + (remote?.expected.received ?? 0);
    if (verdict.kind === 'whole') counts.whole += 1;
    if (verdict.kind !== 'error') return;
    counts.errors += 1;
    const key = `${verdict.cause}: ${excuse ?? 'UNEXPLAINED'}`;
    this.errors.set(key, (this.errors.get(key) ?? 0) + 1);
  }

  /** Adds what an idle process used after `streams` streams. */
  addSample(streams: number, { process, usage }: Sample): void {
    const series = this.#series.get(process) ?? new Map<string, Point[]>();
    this.#series.set(process, series);
    for (const [what, y] of Object.entries(usage)) {
      series.set(what, [...(series.get(what) ?? []), { x: streams / 1_000, y }]);
    }
  }

  /** The growth of each amount of each process that lived long enough. */
  growths(): readonly Growth[] {
    return [...this.#series].flatMap(([process, series]) =>
      [...series].flatMap(([what, points]) => {
        const steady = points.slice(Math.floor(points.length * warmUp));
        const streams = ((steady.at(-1)?.x ?? 0) - (steady[0]?.x ?? 0)) * 1_000;
        const isLong = streams >= fewestStreams && steady.length >= fewestSamples;
        const found = isLong ? slope(steady) : undefined;
        return found === undefined ? [] : [{ process, what, slope: found, samples: steady.length }];
      }),
    );
  }
}

/** Whether `growth` is certain, and more than what is allowed. */
export function isLeak({ what, slope: { low } }: Growth): boolean {
  return low > (allowedGrowth[what] ?? 0);
}
