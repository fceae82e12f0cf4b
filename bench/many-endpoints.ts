import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../test/support/free-port.ts';
import { cpuSeconds } from './process-figures.ts';
import { startRelay, type RelayProgram, type Route, type RunningRelay } from './relays.ts';

/** How many. */
export const endpoints = 1000;

/** What a program with that many came to. */
export type ManyEndpoints = { readonly startMs: number; readonly reloadMs: number };

type Routes = readonly [Route, ...Route[]];

/** Routes to a port where nobody listens. */
async function freeRoutes(count: number): Promise<Routes> {
  const ports = new Set<number>();
  while (ports.size < count + 1) ports.add(await freePort());
  const [remote = 0, first = 0, ...others] = ports; // all different: an endpoint that dials itself never rests
  const route = (listen: number): Route => ({ listen, remote, protocol: 'tcp' });
  return [route(first), ...others.map(route)];
}

/** Resolves once `relay` has done with the clients by which its ports were tried: it uses no processor for a while. */
async function rest(relay: RunningRelay): Promise<void> {
  let [before, now] = [-1, cpuSeconds(relay.pids())];
  while (now > before) {
    await delay(300);
    [before, now] = [now, cpuSeconds(relay.pids())];
  }
}

/** Starts `program` with many endpoints, then gives one of them another port. */
export async function manyEndpoints(program: RelayProgram): Promise<ManyEndpoints> {
  const folder = mkdtempSync(join(tmpdir(), 'realm-operator-bench-'));
  const [changed, ...routes] = await freeRoutes(endpoints + 1);
  const startMs = performance.now();
  const relay = await startRelay(program, routes, folder);
  try {
    const startedMs = performance.now() - startMs;
    await rest(relay);
    const reloadMs = performance.now();
    await relay.reload([...routes.slice(1), changed], changed);
    return { startMs: startedMs, reloadMs: performance.now() - reloadMs };
  } finally {
    await relay.stop();
    rmSync(folder, { recursive: true });
  }
}
