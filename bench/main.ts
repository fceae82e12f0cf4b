import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openFilesLimit } from '../src/lib/open-files.ts';
import { freePort } from '../test/support/free-port.ts';
import type { LoadResult } from './load.ts';
import { endpoints, manyEndpoints, type ManyEndpoints } from './many-endpoints.ts';
import { cpuSeconds, residentKib } from './process-figures.ts';
import { relayPrograms, startRelay, type RelayProgram, type RunningRelay } from './relays.ts';
import { twoWorkers } from './two-workers.ts';

/** One row of the table. */
type Measurement = {
  readonly what: string;
  readonly unit: string;
  readonly load: readonly [work: string, amount: number, connections: number];
  readonly protocol?: 'tcp' | 'udp';
  /** A program that is left out: socat has a process for each connection. */
  readonly without?: string;
  /** The figure of a run, in `unit`. */
  readonly figure: (run: Run) => number;
};

/** The measurements of a run. */
type Run = { readonly load: LoadResult; readonly cpuSeconds: number; readonly grownKib: number };

const perUnit =
  (scale: number) =>
  (run: Run): number =>
    (run.cpuSeconds / run.load.units) * scale;
const measurements: readonly Measurement[] = [
  { what: 'one TCP stream, CPU', unit: 's/GB', load: ['stream', 4_000, 1], figure: perUnit(1) },
  { what: '64 TCP streams, CPU', unit: 's/GB', load: ['stream', 4_000, 64], figure: perUnit(1) },
  {
    what: 'request on a kept connection, CPU',
    unit: 'µs',
    load: ['requests', 60_000, 50],
    figure: perUnit(1e6),
  },
  { what: 'new connection, CPU', unit: 'µs', load: ['newConnections', 8_000, 50], figure: perUnit(1e6) },
  {
    what: 'UDP echo of 512 bytes, CPU',
    unit: 'µs',
    load: ['datagrams', 60_000, 16],
    protocol: 'udp',
    figure: perUnit(1e6),
  },
  {
    what: 'datagram of 1,200 bytes, 60,000/s in bursts of 32, CPU',
    unit: 'µs',
    load: ['bulkDatagrams', 120_000, 1],
    protocol: 'udp',
    figure: perUnit(1e6),
  },
  {
    what: 'the same, lost of 120,000',
    unit: 'datagrams',
    load: ['bulkDatagrams', 120_000, 1],
    protocol: 'udp',
    figure: ({ load }) => load.lost ?? NaN,
  },
  {
    what: 'latency at 4,000 requests/s, p50',
    unit: 'µs',
    load: ['paced', 8_000, 48],
    figure: ({ load }) => load.latencyUs?.p50 ?? NaN,
  },
  {
    what: 'latency at 4,000 requests/s, p99',
    unit: 'µs',
    load: ['paced', 8_000, 48],
    figure: ({ load }) => load.latencyUs?.p99 ?? NaN,
  },
  {
    what: 'idle connection, RSS',
    unit: 'KiB',
    load: ['idle', 4_000, 0],
    without: 'socat',
    figure: ({ grownKib, load }) => grownKib / load.units,
  },
];

/** Descriptors reserved for files other than connections. */
const spareDescriptors = 500;

/** Rounds of each measurement, with all programs in turn, so that noise of the machine affects them alike. */
const rounds = Number(process.env['ROUNDS'] ?? 5);

async function measure(
  program: RelayProgram,
  { load: [work, amount, connections], protocol = 'tcp' }: Measurement,
): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'realm-operator-bench-'));
  const command = [
    '-c',
    '1',
    process.execPath,
    join(import.meta.dirname, 'load.ts'),
    work,
    String(work === 'idle' ? Math.min(amount, maxConnections(program)) : amount),
    String(connections),
  ];
  const child = spawn('taskset', command, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const listen = await freePort();
  const remote = Number((await lines.next()).value);
  const relay = await startRelay(program, [{ listen, remote, protocol }], folder);
  try {
    const before = figures(relay);
    child.stdin.write(`${String(listen)}\n`);
    const load = JSON.parse(String((await lines.next()).value)) as LoadResult;
    const after = figures(relay);
    return { load, cpuSeconds: after.cpu - before.cpu, grownKib: after.rss - before.rss };
  } finally {
    await ended(child);
    await relay.stop();
    rmSync(folder, { recursive: true });
  }
}

/**
 * The number of connections that `program` can keep, in fifties: once out of descriptors, Realm stops accepting altogether.
 */
function maxConnections({ descriptors = 2 }: RelayProgram): number {
  return Math.floor((openFilesLimit() - spareDescriptors) / descriptors / 50) * 50;
}

function figures(relay: RunningRelay): { cpu: number; rss: number } {
  const pids = relay.pids();
  return { cpu: cpuSeconds(pids), rss: residentKib(pids) };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = once(child, 'exit');
  child.stdin?.end();
  await exit;
}

async function row(measurement: Measurement, programs: readonly RelayProgram[]): Promise<string> {
  const able = programs.filter(
    ({ name, udp }) => name !== measurement.without && (udp || measurement.protocol !== 'udp'),
  );
  const found = await inTurn(able, async (program) =>
    measurement.figure(await measure(program, measurement)),
  );
  return line(`${measurement.what}, ${measurement.unit}`, programs, found);
}

/** The rows of the measurements with many endpoints. */
async function endpointRows(programs: readonly RelayProgram[]): Promise<string[]> {
  const able = programs.filter(({ reload }) => reload !== undefined);
  const found = await inTurn(able, manyEndpoints);
  const rows: [what: string, figure: (run: ManyEndpoints) => number][] = [
    ['start until each has accepted a client', ({ startMs }) => startMs],
    ['reload until the one that changed accepts', ({ reloadMs }) => reloadMs],
  ];
  return rows.map(([what, figure]) => {
    const figures = new Map([...found].map(([name, runs]) => [name, runs.map(figure)]));
    return line(`${String(endpoints)} endpoints: ${what}, ms`, programs, figures);
  });
}

/** Requests a second with two workers; more is better. */
async function workersRow(programs: readonly RelayProgram[]): Promise<string> {
  const able = programs.filter(({ hasWorkers }) => hasWorkers === true);
  return line('two workers: requests on kept connections, 1/s', programs, await inTurn(able, twoWorkers));
}

/** The result of each program in each round. */
async function inTurn<T>(
  programs: readonly RelayProgram[],
  run: (program: RelayProgram) => Promise<T>,
): Promise<Map<string, T[]>> {
  const found = new Map<string, T[]>(programs.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const program of programs) found.get(program.name)?.push(await run(program));
  }
  return found;
}

function line(what: string, programs: readonly RelayProgram[], found: ReadonlyMap<string, number[]>): string {
  const own = found.get('realm-operator') ?? [];
  const cells = programs.map(({ name }) => cell(found.get(name), own, name === 'realm-operator'));
  return `| ${[what, ...cells].join(' | ')} |`;
}

/** Median, spread, and the median of our figure divided by theirs, round by round. */
function cell(figures: readonly number[] | undefined, own: readonly number[], isOwn: boolean): string {
  if (figures === undefined) return '–';
  const text = `${short(median(figures))} (${short(Math.min(...figures))}–${short(Math.max(...figures))})`;
  if (isOwn) return text;
  return `${text}; ours is ${short(median(own.map((figure, round) => figure / (figures[round] ?? NaN))))} ×`;
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[figures.length >> 1] ?? NaN;
}

function short(figure: number): string {
  return figure >= 100 ? figure.toFixed(0) : figure.toPrecision(2);
}

const programs = relayPrograms();
const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
print(
  `${String(rounds)} rounds on ${cpus()[0]?.model ?? 'an unknown processor'}; relay on processor 0, load on processor 1; two workers on processors 0 and 1`,
);
print(`| what | ${programs.map(({ name }) => name).join(' | ')} |`);
print(`| --- |${' --- |'.repeat(programs.length)}`);
for (const measurement of measurements) print(await row(measurement, programs));
print(await workersRow(programs));
for (const text of await endpointRows(programs)) print(text);
