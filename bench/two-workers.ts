import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../test/support/free-port.ts';
import type { LoadResult } from './load.ts';
import { startRelay, type RelayProgram, type Route } from './relays.ts';

/** Processes that make requests, each with a backend of its own, since one does not make enough. */
const loads = 2;
const requestsEach = 60_000;
const connectionsEach = 50;

/** On two processors, relay and load share them. */
const processors = cpus().length >= 4 ? { relay: '0,1', load: '2,3' } : { relay: '0,1', load: '0,1' };

/** Requests a second on kept connections through `program` with two workers. */
export async function twoWorkers(program: RelayProgram): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'realm-operator-bench-'));
  const running = await Promise.all(Array.from({ length: loads }, startLoad));
  const routes: Route[] = [];
  for (const { remote } of running) routes.push({ listen: await freePort(), remote, protocol: 'tcp' });
  const relay = await startRelay(program, routes, folder, { count: 2, processors: processors.relay });
  try {
    const results = await Promise.all(running.map(({ run }, index) => run(routes[index]?.listen ?? 0)));
    const units = results.reduce((sum, result) => sum + result.units, 0);
    return units / Math.max(...results.map(({ seconds }) => seconds));
  } finally {
    for (const { end } of running) await end();
    await relay.stop();
    rmSync(folder, { recursive: true });
  }
}

/** A process that makes requests once it knows the port, and the port of its backend. */
type Load = {
  readonly remote: number;
  readonly run: (port: number) => Promise<LoadResult>;
  readonly end: () => Promise<void>;
};

async function startLoad(): Promise<Load> {
  const words = ['requests', String(requestsEach), String(connectionsEach)];
  const command = [process.execPath, join(import.meta.dirname, 'load.ts'), ...words];
  const child = spawn('taskset', ['-c', processors.load, ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    remote: (JSON.parse(String((await lines.next()).value)) as number[])[0] ?? 0,
    run: async (port) => {
      child.stdin.write(`${JSON.stringify([port])}\n`);
      return JSON.parse(String((await lines.next()).value)) as LoadResult;
    },
    end: async () => {
      child.stdin.end();
      await exit;
    },
  };
}
