import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../lib/clock.ts';
import type { Channel } from '../net/channel.ts';
import { procAddress, procSockets } from '../net/proc-net.ts';

/** A peer that receives nothing for so long is reset without further waiting. */
const stalledMs = 5000;
const initialPollMs = 10;
const maxPollMs = 500;

/**
 * Resets a channel once its peer has received what was written to it. A reset makes the kernel discard what it has not
 * sent yet, so an immediate one would lose an answer whose upstream resets right after it.
 *
 * Linux lists in procfs how much a peer has not received; elsewhere the reset follows once the kernel has accepted
 * everything.
 */
export class DeferredReset {
  readonly #channel: Channel;
  readonly #clock: Clock;
  /** How the kernel lists the socket. */
  readonly #name: string;
  #held: readonly unknown[] = [];
  #sinceMs: number;
  #isOver = false;
  #stopTimer: () => void = () => undefined;

  constructor(channel: Channel, clock: Clock) {
    const [local, remote] = [channel.local(), channel.remote()];
    this.#channel = channel;
    this.#clock = clock;
    this.#name = `${procAddress(local.address, local.port)} ${procAddress(remote.address, remote.port)}`;
    this.#sinceMs = clock.monotonicMs();
    void this.#poll(initialPollMs);
  }

  /** Stops waiting, since the channel is closed. */
  end(): void {
    this.#isOver = true;
    this.#stopTimer();
  }

  async #poll(delayMs: number): Promise<void> {
    const queues = await (nextQueues ??= sendQueues());
    if (this.#isOver) return;
    const unsentBytes = queues.get(this.#name) ?? 0;
    const held = [this.#channel.waitingBytes, unsentBytes]; // by the process, and by the kernel
    const nowMs = this.#clock.monotonicMs();
    if (!isDeepStrictEqual(held, this.#held)) [this.#held, this.#sinceMs] = [held, nowMs];
    if ((this.#channel.waitingBytes === 0 && unsentBytes === 0) || nowMs - this.#sinceMs >= stalledMs) {
      this.#channel.reset();
      return;
    }
    this.#stopTimer = this.#clock.after(delayMs, () => {
      void this.#poll(Math.min(maxPollMs, delayMs * 2));
    });
  }
}

/** The list is read once for all deferred resets of one turn of the event loop. */
let nextQueues: Promise<ReadonlyMap<string, number>> | undefined;

async function sendQueues(): Promise<ReadonlyMap<string, number>> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
  nextQueues = undefined;
  const sockets = await procSockets('tcp');
  return new Map(sockets.map(({ local, remote, unsentBytes }) => [`${local} ${remote}`, unsentBytes]));
}
