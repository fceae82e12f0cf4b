import type { LoadResult } from './load.ts';

/** What was measured of a program under a load. */
export type Run = {
  readonly load: LoadResult;
  /** CPU seconds of its processes during the load. */
  readonly cpuSeconds: number;
  /** Resident memory before the load, and by how much it grew: right after the load, and once `restMs` has passed. */
  readonly restKib: number;
  readonly grownKib: number;
  readonly keptKib: number;
};

/** A row of the table. */
export type Figure = {
  readonly what: string;
  readonly unit: string;
  /** The figure of a run, in `unit`. */
  readonly of: (run: Run) => number;
};

/** A load, and what is learned from it. */
export type Measurement = {
  readonly load: readonly [work: string, amount: number, connections: number];
  readonly protocol?: 'tcp' | 'udp';
  /** How long nothing happens after the load, while its connections stay open; absent = that makes no difference. */
  readonly restMs?: number;
  /** A program that is left out: socat has a process for each connection, and serves one route. */
  readonly without?: string;
  readonly figures: readonly Figure[];
};

const perUnit =
  (scale: number) =>
  (run: Run): number =>
    (run.cpuSeconds / run.load.units) * scale;
const p50 = ({ load }: Run): number => load.latencyUs?.p50 ?? NaN;
const p99 = ({ load }: Run): number => load.latencyUs?.p99 ?? NaN;

/** After that time, connections are idle. */
const idleMs = 15_000;

/** Every measurement of a program with one endpoint or two. */
export const measurements: readonly Measurement[] = [
  {
    load: ['stream', 4_000, 1],
    figures: [{ what: 'one TCP stream, CPU', unit: 's/GB', of: perUnit(1) }],
  },
  {
    load: ['stream', 4_000, 16],
    figures: [{ what: '16 TCP streams, CPU', unit: 's/GB', of: perUnit(1) }],
  },
  {
    load: ['stream', 2_000, 64],
    figures: [{ what: '64 TCP streams, CPU', unit: 's/GB', of: perUnit(1) }],
  },
  {
    load: ['requests', 60_000, 50],
    figures: [{ what: 'request on a kept connection, CPU', unit: 'µs', of: perUnit(1e6) }],
  },
  {
    load: ['newConnections', 8_000, 50],
    figures: [{ what: 'new connection, CPU', unit: 'µs', of: perUnit(1e6) }],
  },
  {
    load: ['datagrams', 60_000, 16],
    protocol: 'udp',
    figures: [{ what: 'UDP echo of 512 bytes, CPU', unit: 'µs', of: perUnit(1e6) }],
  },
  {
    load: ['bulkDatagrams', 120_000, 1],
    protocol: 'udp',
    figures: [
      { what: 'datagram of 1,200 bytes, 60,000/s in bursts of 32, CPU', unit: 'µs', of: perUnit(1e6) },
      { what: 'the same, lost of 120,000', unit: 'datagrams', of: ({ load }) => load.lost ?? NaN },
    ],
  },
  {
    load: ['paced', 8_000, 48],
    figures: [
      { what: 'latency at 4,000 requests/s, p50', unit: 'µs', of: p50 },
      { what: 'latency at 4,000 requests/s, p99', unit: 'µs', of: p99 },
    ],
  },
  {
    load: ['pacedPastStream', 2_000, 48],
    without: 'socat',
    figures: [{ what: 'the same p99, while a stream passes the relay by', unit: 'µs', of: p99 }],
  },
  {
    load: ['pacedBesideStream', 2_000, 48],
    without: 'socat',
    figures: [{ what: 'the same p99, while a stream goes through the relay', unit: 'µs', of: p99 }],
  },
  {
    load: ['idle', 4_000, 0],
    restMs: idleMs,
    without: 'socat',
    figures: [
      { what: 'process at rest, RSS', unit: 'MiB', of: ({ restKib }) => restKib / 1024 },
      { what: 'new connection, RSS', unit: 'KiB', of: ({ grownKib, load }) => grownKib / load.units },
      {
        what: `the same once all have been idle for ${String(idleMs / 1000)} s`,
        unit: 'KiB',
        of: ({ keptKib, load }) => keptKib / load.units,
      },
    ],
  },
];
