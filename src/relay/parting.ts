import type { Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../lib/clock.ts';
import { kernelAddress, kernelSockets } from './kernel-sockets.ts';

/** A peer that takes nothing for so long gets its reset now. */
const stalledMs = 5000;
const firstLookMs = 10;
const mostLookMs = 500;

/**
 * Resets `socket` once its peer has what was written to it, for a reset makes the kernel throw away what it has not
 * sent yet: an answer would be lost because the upstream that gave it resets afterwards. The socket is read no more.
 * Whoever destroys it meanwhile ends the waiting, too.
 *
 * Linux tells what a peer has in procfs; elsewhere the reset comes when the kernel has taken everything.
 */
export function resetDelivered(socket: Socket, clock: Clock): void {
  if (socket.destroyed) return;
  if (socket.bytesWritten === 0) {
    socket.resetAndDestroy();
    return;
  }
  socket.pause();
  void look(socket, clock, { held: [], sinceMs: clock.monotonicMs(), delayMs: firstLookMs });
}

type Progress = { readonly held: readonly number[]; readonly sinceMs: number; readonly delayMs: number };

async function look(socket: Socket, clock: Clock, before: Progress): Promise<void> {
  const queues = await (nextQueues ??= sendQueues());
  if (socket.destroyed) return;
  const held = [socket.writableLength, queues.get(name(socket)) ?? 0]; // by the process, and by the kernel
  const nowMs = clock.monotonicMs();
  const sinceMs = isDeepStrictEqual(held, before.held) ? before.sinceMs : nowMs;
  if (held.every((bytes) => bytes === 0) || nowMs - sinceMs >= stalledMs) {
    socket.resetAndDestroy();
    return;
  }
  const stopTimer = clock.after(before.delayMs, () => {
    socket.off('close', stopTimer);
    void look(socket, clock, { held, sinceMs, delayMs: Math.min(mostLookMs, before.delayMs * 2) });
  });
  socket.once('close', stopTimer);
}

/** One reading of the list serves all who ask in the same turn of the event loop. */
let nextQueues: Promise<ReadonlyMap<string, number>> | undefined;

async function sendQueues(): Promise<ReadonlyMap<string, number>> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
  nextQueues = undefined;
  const sockets = await kernelSockets('tcp');
  return new Map(sockets.map(({ local, remote, unsentBytes }) => [`${local} ${remote}`, unsentBytes]));
}

function name({ localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${kernelAddress(localAddress, localPort)} ${kernelAddress(remoteAddress, remotePort)}`;
}
