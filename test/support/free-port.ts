import { once } from 'node:events';
import { createServer, type ListenOptions, type Server } from 'node:net';

// Below Linux's range for the sockets that programs dial from, so that no passing connection takes the port
// between our look and the program's bind, or while the program restarts.
const lowest = 20_000;
const highest = 32_000;
/** Rows have blocks of their own, away from the ports that `freePort` strews. */
const rowsFrom = 10_000;
const rowPorts = 256;
const tries = 100;

/** A TCP port of 127.0.0.1 that nobody listens on, and that no other run of tests on this machine gets. */
export function freePort(): Promise<number> {
  return freeRow(1, () => lowest + Math.floor(Math.random() * (highest - lowest)));
}

/** The first of `count` such ports in a row, at most 256. */
export function freePorts(count: number): Promise<number> {
  const blocks = Math.floor((lowest - rowsFrom) / rowPorts);
  return freeRow(count, () => rowsFrom + rowPorts * Math.floor(Math.random() * blocks));
}

async function freeRow(count: number, candidate: () => number): Promise<number> {
  for (let i = 0; i < tries; i += 1) {
    const first = candidate();
    if (!(await reserve(first))) continue;
    const looks = Array.from({ length: count }, (_, index) => isFree(first + index));
    if ((await Promise.all(looks)).every(Boolean)) return first;
  }
  throw new Error(`no ${String(count)} free ports in a row in ${String(tries)} tries`);
}

/**
 * Reserves the row at `first` until this process ends, by a name that one process alone may have (on Linux, an abstract
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

/** The code of the error why `server` cannot listen; undefined once it does. */
async function listening(server: Server, where: ListenOptions): Promise<string | undefined> {
  try {
    await once(server.listen(where), 'listening');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
