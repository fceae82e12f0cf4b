import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../test/support/free-port.ts';
import { cpuSeconds } from './process-figures.ts';
import { startRelay, type RelayProgram, type Route, type RunningRelay } from './relays.ts';

/** The number of endpoints. */
export const endpoints = 1000;

/** The figures of a program with that many endpoints. */
export type ManyEndpoints = { readonly startMs: number; readonly reloadMs: number };

type Routes = readonly [Route, ...Route[]];

/** Routes to a port without a listener. */
async function freeRoutes(count: number): Promise<Routes> {
  const ports = new Set<number>();
  while (ports.size < count + 1) ports.add(await freePort());
  const [remote = 0, first = 0, ...others] = ports; // all different: an endpoint that dials itself would never be idle
  const route = (listen: number): Route => ({ listen, remote, protocol: 'tcp' });
  return [route(first), ...others.map(route)];
}

/** Resolves once `relay` has finished with the clients that probed its ports: it uses no CPU for a while. */
async function rest(relay: RunningRelay): Promise<void> {
  let [before, now] = [-1, cpuSeconds(relay.pids())];
  while (now > before) {
    await delay(300);
    [before, now] = [now, cpuSeconds(relay.pids())];
  }
}

/** Starts `program` with many endpoints, then changes the port of one of them. */
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
