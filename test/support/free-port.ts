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

/** The first of `count` consecutive such ports, at most 4096. */
export function freePorts(count: number): Promise<number> {
  const blocks = Math.floor((lowest - rowsFrom - count) / rowPorts) + 1;
  return freeRow(count, () => rowsFrom + rowPorts * Math.floor(Math.random() * blocks));
}

async function freeRow(count: number, candidate: () => number): Promise<number> {
  for (let i = 0; i < tries; i += 1) {
    const first = candidate();
    const reserved = await reserveRow(first, count);
    const checks = Array.from({ length: reserved.length > 0 ? count : 0 }, (_, index) =>
      isFree(first + index),
    );
    if (reserved.length > 0 && (await Promise.all(checks)).every(Boolean)) return first;
    for (const block of reserved) block.close();
  }
  throw new Error(`no ${String(count)} free ports in a row in ${String(tries)} tries`);
}

/**
 * Reserves the blocks of the row at `first` until this process ends, by names that only one process can have (on Linux,
 * abstract sockets): tests run side by side, and a program binds its port seconds after it was chosen.
 *
 * @returns what to close to release them; [] if another has one of them.
 */
async function reserveRow(first: number, count: number): Promise<Server[]> {
  const reserved: Server[] = [];
  for (let block = first; block < first + count; block += rowPorts) {
    const server = createServer().unref();
    const failure = await listening(server, { path: `\0realm-operator-test-port-${String(block)}` });
    if (failure === undefined) reserved.push(server);
    else {
      for (const other of reserved) other.close();
      return [];
    }
  }
  return reserved;
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
