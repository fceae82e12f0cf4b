import { once } from 'node:events';
import { createServer, type ListenOptions, type Server } from 'node:net';

// Below Linux's range of ephemeral ports, so that no outgoing connection takes the port between our check and the program's
// bind, or while the program restarts.
const lowest = 20_000;
const highest = 32_000;
/** Rows have separate blocks, away from the random ports of `freePort`. */
const rowsFrom = 10_000;
const rowPorts = 256;
const tries = 100;

/** A free TCP port of 127.0.0.1, which no other test run on this machine gets. */
export function freePort(): Promise<number> {
  return freeRow(1, () => lowest + Math.floor(Math.random() * (highest - lowest)));
}

/** The first of `count` consecutive such ports, at most 256. */
export function freePorts(count: number): Promise<number> {
  const blocks = Math.floor((lowest - rowsFrom) / rowPorts);
  return freeRow(count, () => rowsFrom + rowPorts * Math.floor(Math.random() * blocks));
}

async function freeRow(count: number, candidate: () => number): Promise<number> {
  for (let i = 0; i < tries; i += 1) {
    const first = candidate();
    if (!(await reserve(first))) continue;
    const checks = Array.from({ length: count }, (_, index) => isFree(first + index));
    if ((await Promise.all(checks)).every(Boolean)) return first;
  }
  throw new Error(`no ${String(count)} free ports in a row in ${String(tries)} tries`);
}

/**
 * Reserves the row at `first` until this process ends, by a name that only one process can have (on Linux, an abstract
 * socket): tests run side by side, and a program binds its port seconds after it was chosen.
 */
async function reserve(first: number): Promise<boolean> {
  const failure = await listening(createServer().unref(), {
    path: `\0realm-operator-test-port-${String(first)}`,
  });
  return failure !== 'EADDRINUSE';
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  if ((await listening(server, { port, host: '127.0.0.1' })) !== undefined) return false;
  server.close();
  await once(server, 'close');
  return true;
}

/** The code of the error if `server` cannot listen; undefined once it does. */
async function listening(server: Server, where: ListenOptions): Promise<string | undefined> {
  try {
    await once(server.listen(where), 'listening');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
