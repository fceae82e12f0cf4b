import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { type ControlPlane, startControlPlane } from '../test/cluster/control-plane.ts';
import { settledWrites } from '../test/operator/writes.ts';
import { Crowd } from './crowd.ts';
import { measureGateways } from './gateways.ts';
import { OperatorProcess } from './operator-process.ts';

/** The numbers of RealmRelays to measure with, one after the other. */
const sizes = (process.env['RELAYS'] ?? '2660,10000').split(',').filter(Boolean).map(Number);
/** The number of Gateways to measure with; 0 for none. */
const gateways = Number(process.env['GATEWAYS'] ?? 200);
const restSeconds = Number(process.env['REST_SECONDS'] ?? 60);
const tries = 31;
const quietProbes = 40;

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function row(what: string, ...figures: readonly string[]): void {
  print(`| ${[what, ...figures].join(' | ')} |`);
}

function milliseconds(figures: readonly number[]): string {
  const sorted = figures.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(0);
  return `p50 ${at(0.5)} ms, p90 ${at(0.9)} ms`;
}

async function repeated(measure: (index: number) => Promise<number>): Promise<string> {
  const figures: number[] = [];
  for (let index = 0; index < tries; index += 1) figures.push(await measure(index));
  return milliseconds(figures);
}

/** Runs `body` with a new control plane, operator and client. */
async function withOperator(
  controllerManager: boolean,
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const controlPlane = await startControlPlane({ manifests: ['crds/realmrelays.yaml'], controllerManager });
  try {
    const crowd = new Crowd(controlPlane.kubeconfig, await controlPlane.namespace());
    const operator = await OperatorProcess.start(controlPlane.kubeconfig);
    const bench = { controlPlane, crowd, operator };
    try {
      await operator.ready();
      await crowd.start();
      await body(bench);
    } finally {
      await bench.operator.stop();
      await crowd.stop();
    }
  } finally {
    await controlPlane.stop();
  }
}

type Bench = { readonly controlPlane: ControlPlane; readonly crowd: Crowd; operator: OperatorProcess };

async function latency({ crowd }: Bench, where: string): Promise<void> {
  row(`a bare client makes the same three objects one after the other, ${where}`, await bare(crowd));
  row(`one created → its three children are there, ${where}`, await repeated(() => crowd.createOne()));
}

function bare(crowd: Crowd): Promise<string> {
  return repeated((index) => crowd.createBare(`bare-${String(index)}`));
}

const written =
  /^apiserver_request_total\{.*resource="(realmrelays|configmaps|deployments|services|events)".*subresource="(\w*)".*verb="(APPLY|POST|PATCH|PUT|DELETE)".*\} (\d+)$/gm;

/** Writes of the operator by resource since the start of the API server, from its metrics. */
async function writesByResource(controlPlane: ControlPlane): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const match of (await controlPlane.metrics()).matchAll(written)) {
    const [, resource = '', subresource = '', verb, count] = match;
    if (verb === 'POST' && resource === 'realmrelays') continue; // the client creates them
    const name = [resource, subresource].filter((part) => part !== '').join('/');
    counts.set(name, (counts.get(name) ?? 0) + Number(count));
  }
  return counts;
}

function writesPerRelay(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  relays: number,
): string {
  const each = [...after].map(([name, count]) => [name, (count - (before.get(name) ?? 0)) / relays] as const);
  const sum = each.reduce((total, [, count]) => total + count, 0);
  const parts = each.map(([name, count]) => `${name} ${count.toFixed(2)}`);
  return `${sum.toFixed(2)} (${parts.toSorted().join(', ')})`;
}

async function grow({ controlPlane, crowd, operator }: Bench, size: number): Promise<void> {
  const created = size - crowd.size;
  const [writes, cpu, startMs] = [
    await writesByResource(controlPlane),
    operator.cpuSeconds,
    performance.now(),
  ];
  await crowd.growTo(size);
  const seconds = (performance.now() - startMs) / 1_000;
  await settledWrites(controlPlane, quietProbes);
  row('created in', `${seconds.toFixed(0)} s, ${String(created)} of them`);
  row(
    "operator's CPU per created relay",
    `${(((operator.cpuSeconds - cpu) / created) * 1_000).toFixed(1)} ms`,
  );
  row(
    'write requests per created relay',
    writesPerRelay(writes, await writesByResource(controlPlane), created),
  );
  row('RSS after that', `${operator.residentMb.toFixed(0)} MB`);
}

async function rest({ controlPlane, operator }: Bench): Promise<void> {
  const [before, cpu] = [await settledWrites(controlPlane, quietProbes), operator.cpuSeconds];
  await delay(restSeconds * 1_000);
  const after = await settledWrites(controlPlane, quietProbes);
  const used = (operator.cpuSeconds - cpu).toFixed(2);
  const memory = operator.residentMb.toFixed(0);
  row(
    `at rest, ${String(restSeconds)} s`,
    `${String(after - before)} writes, ${used} CPU s; RSS then ${memory} MB`,
  );
}

async function edits({ crowd }: Bench): Promise<void> {
  const edit = (offset: number, port: number) => (index: number) => crowd.editOne(offset + index, port);
  row('one edited → applied', await repeated(edit(0, 9_001)));
  const over = new AbortController();
  const last = crowd.size - 1;
  const fighting = crowd.fight(last, over.signal);
  const startMs = performance.now();
  const figures = await repeated(edit(0, 9_002));
  const seconds = (performance.now() - startMs) / 1_000;
  over.abort();
  const rounds = await fighting;
  await crowd.editOne(last, 9_003); // what was undone last waits for its repair, but an edit is applied at once
  row(
    'the same while somebody changes the Service of another as fast as it is repaired',
    `${figures}; ${(rounds / seconds).toFixed(0)} repairs/s`,
  );
}

async function restart(bench: Bench): Promise<void> {
  const { controlPlane, crowd } = bench;
  await settledWrites(controlPlane, quietProbes); // the last repair is from the previous operator
  await bench.operator.stop();
  const before = await settledWrites(controlPlane, quietProbes);
  const startMs = performance.now();
  bench.operator = await OperatorProcess.start(controlPlane.kubeconfig);
  await bench.operator.reconciled(crowd.size);
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  const cpu = bench.operator.cpuSeconds.toFixed(1);
  const memory = bench.operator.residentMb.toFixed(0);
  const writes = (await settledWrites(controlPlane, quietProbes)) - before;
  row('restart → all reconciled', `${seconds} s, ${String(writes)} writes, ${cpu} CPU s`);
  row('RSS after that', `${memory} MB`);
}

print(`on ${String(cpus().length)} × ${cpus()[0]?.model ?? 'an unknown processor'}`);
print('| what | figure |');
print('| --- | --- |');
if (sizes.length > 0) {
  await withOperator(true, (bench) => latency(bench, 'with the controller manager'));
  await withOperator(false, async (bench) => {
    row('RSS just started', `${bench.operator.residentMb.toFixed(0)} MB`);
    await latency(bench, 'without the controller manager');
    for (const size of sizes) {
      row(`**with ${String(size)} relays**`, '');
      await grow(bench, size);
      await rest(bench);
      await edits(bench);
      await restart(bench);
    }
  });
}
if (gateways > 0)
  await measureGateways({ gateways, listeners: 5, slices: 10_000 }, { row, repeated, restSeconds });
