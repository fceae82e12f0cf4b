import { once } from 'node:events';
import { createServer } from 'node:net';

// Below Linux's range for the sockets that programs dial from, so that no passing connection takes the port
// between our look and the program's bind, or while the program restarts.
const lowest = 20_000;
const highest = 32_000;
const tries = 100;

/** A TCP port of 127.0.0.1 that nobody listens on. */
export function freePort(): Promise<number> {
  return freeRow(1, lowest, highest);
}

/** The first of `count` TCP ports in a row of 127.0.0.1 that nobody listens on: away from those that `freePort` strews. */
export function freePorts(count: number): Promise<number> {
  return freeRow(count, lowest / 2, lowest - 1);
}

async function freeRow(count: number, from: number, to: number): Promise<number> {
  for (let i = 0; i < tries; i += 1) {
    const first = from + Math.floor(Math.random() * (to - from - count));
    const looks = Array.from({ length: count }, (_, index) => isFree(first + index));
    if ((await Promise.all(looks)).every(Boolean)) return first;
  }
  throw new Error(
    `no ${String(count)} free ports in ${String(tries)} tries between ${String(from)} and ${String(to)}`,
  );
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
