import { once } from 'node:events';
import { createServer } from 'node:net';

// Below Linux's range for the sockets that programs dial from, so that no passing connection takes the port
// between our look and the program's bind, or while the program restarts.
const lowest = 20_000;
const highest = 32_000;
const tries = 100;

/** A TCP port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < tries; i += 1) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port in ${String(tries)} tries between ${String(lowest)} and ${String(highest)}`);
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
