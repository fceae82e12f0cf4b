import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { json } from 'node:stream/consumers';
import { isIPv4 } from 'node:net';
import type { Prediction, Protocol } from '../../src/api/port-conflicts.ts';
import { portsFrom } from '../../src/lib/port-range.ts';
import { errorCode } from '../../src/lib/errors.ts';

// A program: reads pairs of sockets as JSON from standard input, binds each pair in both orders, and writes the kernel's
// results. It runs in a network namespace of its own, so that any port is free.

/** A socket to bind, or one for each port of a range, as the relay binds them. */
export type TrialSocket = {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  /** The last port of a range. */
  readonly endPort: number;
  readonly ipv6Only: boolean;
};

/** The kernel's result with the first socket bound first, and with the second bound first. */
export type TrialResult = readonly [Prediction, Prediction];

type Bound = { close: () => Promise<unknown> };

/** Adds what it binds to `bound`, even if a later port fails. */
async function bind(socket: TrialSocket, bound: Bound[]): Promise<void> {
  for (const port of portsFrom(socket.port, socket.endPort)) {
    const one = { ...socket, port };
    bound.push(socket.protocol === 'TCP' ? await bindTcp(one) : await bindUdp(one));
  }
}

async function bindTcp({ address, port, ipv6Only }: TrialSocket): Promise<Bound> {
  const server = createServer().listen({ host: address, port, ipv6Only });
  await once(server, 'listening');
  return { close: () => once(server.close(), 'close') };
}

async function bindUdp({ address, port, ipv6Only }: TrialSocket): Promise<Bound> {
  const socket = isIPv4(address) ? createSocket('udp4') : createSocket({ type: 'udp6', ipv6Only });
  socket.bind(port, address);
  await once(socket, 'listening');
  return { close: () => once(socket.close(), 'close') };
}

async function trial(first: TrialSocket, second: TrialSocket): Promise<Prediction> {
  const bound: Bound[] = [];
  try {
    for (const socket of [first, second]) await bind(socket, bound);
    return 'fits';
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return 'conflicts';
    if (errorCode(error) === 'EINVAL') return 'cannot bind';
    throw error;
  } finally {
    for (const socket of bound) await socket.close();
  }
}

if (import.meta.main) {
  const results: TrialResult[] = [];
  for (const [first, second] of (await json(process.stdin)) as [TrialSocket, TrialSocket][]) {
    results.push([await trial(first, second), await trial(second, first)]);
  }
  process.stdout.write(JSON.stringify(results));
}
