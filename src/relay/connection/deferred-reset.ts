import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../lib/clock.ts';
import type { Channel } from '../net/channel.ts';
import { procAddress, procSockets } from '../net/proc-net.ts';

/** A peer that receives nothing for so long is reset without further waiting. */
const stalledMs = 5000;
const initialPollMs = 10;
const maxPollMs = 500;
/** How much longer the list of sockets is left alone than a reading of it takes. */
const readingRest = 3;

/**
 * Resets a channel once its peer has received what was written to it. A reset makes the kernel discard what it has not
 * sent yet, so an immediate one would lose an answer whose upstream resets right after it.
 *
 * The channel knows how much a peer has not received, or else Linux lists it in procfs; elsewhere the reset follows once the
 * kernel has accepted everything.
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

  async #listed(): Promise<number> {
    const queues = await (nextQueues ??= sendQueues());
    return queues.get(this.#name) ?? 0;
  }

  async #poll(delayMs: number): Promise<void> {
    const unsent = this.#channel.unacknowledged?.() ?? (await this.#listed());
    if (this.#isOver) return;
    const held = [this.#channel.waitingBytes, unsent]; // by the process, and by the kernel
    const nowMs = this.#clock.monotonicMs();
    if (!isDeepStrictEqual(held, this.#held)) [this.#held, this.#sinceMs] = [held, nowMs];
    if ((this.#channel.waitingBytes === 0 && unsent === 0) || nowMs - this.#sinceMs >= stalledMs) {
      this.#channel.reset();
      return;
    }
    this.#stopTimer = this.#clock.after(delayMs, () => {
      void this.#poll(Math.min(maxPollMs, delayMs * 2));
    });
  }
}

type SendQueues = ReadonlyMap<string, number>;

/** The next reading of the list, for all deferred resets that wait for one. */
let nextQueues: Promise<SendQueues> | undefined;
/** The end of the last one, and of the rest after it. */
let rest: Promise<unknown> = Promise.resolve();

/** The list has every socket of the machine: clients that reset again and again would have the relay read nothing else. */
async function sendQueues(): Promise<SendQueues> {
  await rest;
  nextQueues = undefined;
  const sinceMs = performance.now();
  const queues = readQueues();
  rest = queues.then(() =>
    setTimeout((performance.now() - sinceMs) * readingRest, undefined, { ref: false }),
  );
  return queues;
}

async function readQueues(): Promise<SendQueues> {
  const sockets = await procSockets('tcp');
  return new Map(sockets.map(({ local, remote, unsentBytes }) => [`${local} ${remote}`, unsentBytes]));
}
