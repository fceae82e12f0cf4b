import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { openFilesLimit } from '../src/lib/open-files.ts';
import { freePort } from '../test/support/free-port.ts';
import { chart } from './chart.ts';
import type { LoadResult } from './load.ts';
import { endpoints, manyEndpoints } from './many-endpoints.ts';
import { measurements, type Measurement, type Run } from './measurements.ts';
import { cpuSeconds, residentKib } from './process-figures.ts';
import { relayPrograms, startRelay, type RelayProgram, type RunningRelay } from './relays.ts';
import { tableHead, tableLine, type Row } from './table.ts';
import { twoWorkers } from './two-workers.ts';

/** Descriptors reserved for files other than connections. */
const spareDescriptors = 500;

/** Rounds of each measurement, with all programs in turn, so that noise of the machine affects them alike. */
const rounds = Number(process.env['ROUNDS'] ?? 5);

async function measure(
  program: RelayProgram,
  { load: [work, amount, connections], protocol = 'tcp', restMs = 0 }: Measurement,
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
  const remotes = JSON.parse(String((await lines.next()).value)) as number[];
  const routes = [];
  for (const remote of remotes) routes.push({ listen: await freePort(), remote, protocol });
  const relay = await startRelay(program, routes, folder);
  try {
    const before = figures(relay);
    child.stdin.write(`${JSON.stringify(routes.map(({ listen }) => listen))}\n`);
    const load = JSON.parse(String((await lines.next()).value)) as LoadResult;
    const after = figures(relay);
    if (restMs > 0) await delay(restMs);
    return {
      load,
      cpuSeconds: after.cpu - before.cpu,
      restKib: before.rss,
      grownKib: after.rss - before.rss,
      keptKib: figures(relay).rss - before.rss,
    };
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

async function rowsOf(measurement: Measurement, programs: readonly RelayProgram[]): Promise<Row[]> {
  const able = programs.filter(
    ({ name, udp }) => name !== measurement.without && (udp || measurement.protocol !== 'udp'),
  );
  const found = await inTurn(able, (program) => measure(program, measurement));
  return measurement.figures.map(({ what, unit, of }) => ({ what, unit, figures: mapped(found, of) }));
}

/** The rows of the measurements with many endpoints. */
async function endpointRows(programs: readonly RelayProgram[]): Promise<Row[]> {
  const able = programs.filter(({ reload }) => reload !== undefined);
  const found = await inTurn(able, manyEndpoints);
  const many = `${String(endpoints)} endpoints`;
  return [
    {
      what: `${many}: start until each has accepted a client`,
      unit: 'ms',
      figures: mapped(found, ({ startMs }) => startMs),
    },
    {
      what: `${many}: reload until the one that changed accepts`,
      unit: 'ms',
      figures: mapped(found, ({ reloadMs }) => reloadMs),
    },
  ];
}

async function workersRow(programs: readonly RelayProgram[]): Promise<Row> {
  const able = programs.filter(({ hasWorkers }) => hasWorkers === true);
  const figures = await inTurn(able, twoWorkers);
  return { what: 'two workers: requests on kept connections', unit: '1/s', figures, isMoreBetter: true };
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

function mapped<T>(found: ReadonlyMap<string, T[]>, figure: (run: T) => number): Map<string, number[]> {
  return new Map([...found].map(([name, runs]) => [name, runs.map(figure)]));
}

/** Replaces table and chart in `docs`. */
function writeDocs(rows: readonly Row[], programs: readonly RelayProgram[], head: string): void {
  const docs = join(import.meta.dirname, '..', 'docs');
  const page = join(docs, 'performance.md');
  const [begin, end] = ['<!-- bench: begin -->', '<!-- bench: end -->'];
  const text = readFileSync(page, 'utf8');
  const [before, rest = ''] = text.split(begin);
  const [, after] = rest.split(end);
  if (after === undefined) throw new Error(`${page}: there is no ${begin} with a ${end} after it: add them`);
  const table = [...tableHead(programs), ...rows.map((row) => tableLine(row, programs))].join('\n');
  const image = '![Medians of every row, a bar for each program](images/performance.svg)';
  writeFileSync(page, `${String(before)}${begin}\n\n${head}.\n\n${table}\n\n${image}\n\n${end}${after}`);
  writeFileSync(join(docs, 'images', 'performance.svg'), chart(rows, programs, 'Cost of a relay, medians'));
}

const programs = relayPrograms();
const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const head = `${String(rounds)} ${rounds === 1 ? 'round' : 'rounds'} on ${cpus()[0]?.model ?? 'an unknown processor'}; relay on processor 0, load on processor 1; two workers on processors 0 and 1`;
print(head);
for (const line of tableHead(programs)) print(line);
const rows: Row[] = [];
const add = (row: Row): void => {
  rows.push(row);
  print(tableLine(row, programs));
};
for (const measurement of measurements) (await rowsOf(measurement, programs)).forEach(add);
add(await workersRow(programs));
(await endpointRows(programs)).forEach(add);
if (process.env['DOCS'] === '1') writeDocs(rows, programs, head);
