import { isIP } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import type { Channel } from '../net/channel.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';

/** How long a try has the line for itself. Source: RFC 8305, section 5, "Connection Attempt Delay". */
const attemptDelayMs = 250;

/** What a race needs besides the addresses. */
export type HappyEyeballsOptions<C> = {
  readonly clock: Clock;
  /** Pays for tries beside the first; one that it has no room for waits. */
  readonly budget: DescriptorBudget;
  /** What connects to `address` and tells once, later, whether it has. */
  readonly connect: (address: string, onConnected: (error: Error | undefined) => void) => C;
};

/**
 * Connects to whichever of several addresses answers first: one after the other, the next one as soon as one has
 * failed or has been silent for 250 ms, while the silent one goes on. An address that swallows everything so costs a
 * quarter of a second, and not the whole time for the dial.
 */
export class HappyEyeballs<C extends Pick<Channel, 'close'>> {
  /** Connected; rejects with the last failure where all have failed. */
  readonly winner: Promise<C>;
  readonly #options: HappyEyeballsOptions<C>;
  readonly #waiting: string[];
  readonly #running = new Set<C>();
  readonly #settle = Promise.withResolvers<C>();
  /** Descriptors of tries beside the first. */
  #taken = 0;
  #stopTimer: () => void = () => undefined;

  /** @param hosts  IP addresses, at least one, in the order in which to try them. */
  constructor(hosts: readonly string[], options: HappyEyeballsOptions<C>) {
    this.#options = options;
    this.#waiting = [...hosts];
    this.winner = this.#settle.promise;
    this.#next();
  }

  /** Ends every try; `winner` rejects with `error`, if it is not settled yet. */
  end(error: Error): void {
    this.#stop();
    this.#settle.reject(error);
  }

  #next(): void {
    this.#stopTimer();
    if (this.#mayOpen()) this.#open();
    if (this.#waiting.length === 0) return;
    this.#stopTimer = this.#options.clock.after(attemptDelayMs, () => {
      this.#next();
    });
  }

  #mayOpen(): boolean {
    if (this.#running.size === 0) return true;
    if (!this.#options.budget.hasRoom(1)) return false;
    this.#options.budget.take(1);
    this.#taken += 1;
    return true;
  }

  #open(): void {
    const channel = this.#options.connect(this.#waiting.shift() ?? '', (error) => {
      if (error === undefined) this.#succeed(channel);
      else this.#fail(channel, error);
    });
    this.#running.add(channel);
  }

  #succeed(channel: C): void {
    this.#running.delete(channel);
    this.#stop();
    this.#settle.resolve(channel);
  }

  #fail(channel: C, error: Error): void {
    this.#running.delete(channel);
    channel.close();
    this.#release(Math.min(1, this.#taken));
    if (this.#waiting.length > 0) this.#next();
    else if (this.#running.size === 0) this.#settle.reject(error);
  }

  #stop(): void {
    this.#stopTimer();
    this.#waiting.length = 0;
    const running = [...this.#running];
    this.#running.clear();
    for (const channel of running) channel.close();
    this.#release(this.#taken);
  }

  #release(count: number): void {
    if (count === 0) return;
    this.#taken -= count;
    this.#options.budget.release(count);
  }
}

/**
 * `hosts`, IP addresses, with the families in turn, the first one's first; within a family the order stays.
 *
 * Source: RFC 8305, section 4.
 */
export function interleaved(hosts: readonly string[]): readonly string[] {
  const [first = ''] = hosts;
  const same = hosts.filter((host) => isIP(host) === isIP(first));
  const other = hosts.filter((host) => isIP(host) !== isIP(first));
  return Array.from({ length: Math.max(same.length, other.length) }, (_, index) => [
    ...same.slice(index, index + 1),
    ...other.slice(index, index + 1),
  ]).flat();
}
