import { isIP } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import type { DescriptorAllowance } from '../net/channel.ts';

/**
 * Milliseconds before the next attempt starts beside a silent one. RFC 8305, section 5: "Connection Attempt Delay",
 * 250 ms recommended.
 */
export const attemptDelayMs = 250;

/** A connection attempt, and the connection that comes of it. */
export type ConnectionAttempt = {
  /** Abandons the attempt, or closes the connection. */
  readonly close: () => void;
};

/** What a race needs besides the addresses. */
export type HappyEyeballsOptions<C> = {
  readonly clock: Clock;
  /** Grants descriptors to simultaneous attempts; without room for one, it has to wait. */
  readonly budget: DescriptorAllowance;
  /** Starts to connect to `address`; calls `onConnected` once, later, with the error if it failed. */
  readonly connect: (address: string, onConnected: (error: Error | undefined) => void) => C;
  /** Called once, when the attempt at the last address starts. */
  readonly onLastStarted?: () => void;
};

/**
 * Races several addresses: starts the next attempt as soon as one has failed or has been silent for 250 ms, while the
 * silent one goes on. An address that drops packets therefore costs a quarter of a second, and not the timeout of the
 * dial.
 *
 * Source: RFC 8305 (Happy Eyeballs 2), which replaces RFC 6555.
 */
export class HappyEyeballs<C extends ConnectionAttempt> {
  /** The first connection; rejects with the last error if every attempt failed. */
  readonly winner: Promise<C>;
  readonly #options: HappyEyeballsOptions<C>;
  readonly #untried: string[];
  readonly #attempts = new Set<C>();
  readonly #outcome = Promise.withResolvers<C>();
  /** Descriptors of simultaneous attempts beyond the first. */
  #extraDescriptors = 0;
  #stopTimer: () => void = () => undefined;

  /** @param hosts  IP addresses, at least one, in the order in which to try them. */
  constructor(hosts: readonly string[], options: HappyEyeballsOptions<C>) {
    this.#options = options;
    this.#untried = [...hosts];
    this.winner = this.#outcome.promise;
    this.#startNext();
  }

  /** Abandons every attempt; `winner` rejects with `error` if it is still pending. */
  end(error: Error): void {
    this.#stop();
    this.#outcome.reject(error);
  }

  #startNext(): void {
    this.#stopTimer();
    if (this.#mayStart()) this.#start();
    if (this.#untried.length === 0) return;
    this.#stopTimer = this.#options.clock.after(attemptDelayMs, () => {
      this.#startNext();
    });
  }

  #mayStart(): boolean {
    if (this.#attempts.size === 0) return true;
    if (!this.#options.budget.hasRoom(1)) return false;
    this.#options.budget.take(1);
    this.#extraDescriptors += 1;
    return true;
  }

  #start(): void {
    const attempt = this.#options.connect(this.#untried.shift() ?? '', (error) => {
      if (error === undefined) this.#succeed(attempt);
      else this.#fail(attempt, error);
    });
    this.#attempts.add(attempt);
    if (this.#untried.length === 0) this.#options.onLastStarted?.();
  }

  #succeed(attempt: C): void {
    this.#attempts.delete(attempt);
    this.#stop(); // RFC 8305, section 5: one success cancels all other attempts
    this.#outcome.resolve(attempt);
  }

  #fail(attempt: C, error: Error): void {
    this.#attempts.delete(attempt);
    attempt.close();
    this.#release(Math.min(1, this.#extraDescriptors));
    if (this.#untried.length > 0)
      this.#startNext(); // RFC 8305, section 5: a failure starts the next attempt without delay
    else if (this.#attempts.size === 0) this.#outcome.reject(error);
  }

  #stop(): void {
    this.#stopTimer();
    this.#untried.length = 0;
    const attempts = [...this.#attempts];
    this.#attempts.clear();
    for (const attempt of attempts) attempt.close();
    this.#release(this.#extraDescriptors);
  }

  #release(count: number): void {
    if (count === 0) return;
    this.#extraDescriptors -= count;
    this.#options.budget.release(count);
  }
}

/**
 * Alternates the families of `hosts`, IP addresses, starting with that of the first one, and keeps the order within
 * each.
 *
 * Source: RFC 8305, section 4: "First Address Family Count" is 1.
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
