import { socketAddressText, type SocketAddress } from '../../config/address.ts';
import { backoffMs, type Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { IpAddress } from '../../lib/ip-address.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';

/** How long a remote whose dials fail is tried last. */
const ejection: Backoff = { initialMs: 1000, maxMs: 60_000 };

/** What a remote works with. */
export type RemoteContext = {
  readonly endpoint: string;
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly clock: Clock;
  /** In [0, 1), for the jitter of the backoff. */
  readonly random: () => number;
  /** Told of what happens to the remote `text`, and has to be known by other processes that dial it. */
  readonly onEvent?: (text: string, event: RemoteEvent) => void;
};

/** A dial failed; one worked after one that failed; somebody tries it after its backoff; checks changed their mind. */
export type RemoteEvent = 'failed' | 'works' | 'probed' | 'checked';

/** What is known of a remote, as processes tell it to each other. */
export type RemoteState = {
  readonly isUp: boolean;
  readonly failedInARow: number;
  /** How long it is still tried last. */
  readonly ejectedForMs: number;
};

/** How a remote is, as `/status` tells it. */
export type RemoteHealth = {
  readonly address: string;
  /** Is tried in its turn; false = last. */
  readonly healthy: boolean;
  /** Why it is not healthy; '' where it is. */
  readonly reason: '' | 'DialFailed' | 'CheckFailed';
  /** Connections or associations that are open or being dialled. */
  readonly active: number;
  /** Dials there have been. */
  readonly dials: number;
  /** Those that failed. */
  readonly failed: number;
};

/** A configured remote and what is known of it: what goes there, and whether dials fail. */
export class Remote implements SocketAddress {
  readonly host: string;
  readonly port: number;
  readonly ip?: IpAddress;
  /** As configured, e.g. `[2001:db8::1]:443`. */
  readonly text: string;
  readonly #context: RemoteContext;
  #active = 0;
  #dials = 0;
  #failed = 0;
  #failedInARow = 0;
  #ejectedUntilMs = 0;
  #isUp = true;
  /** Checks in a row that say otherwise than `#isUp`. */
  #contraryChecks = 0;
  /** The one that is checked in its place. */
  #mirrored: Remote | undefined;

  constructor(address: SocketAddress, context: RemoteContext) {
    this.host = address.host;
    this.port = address.port;
    if (address.ip !== undefined) this.ip = address.ip;
    this.text = socketAddressText(address);
    this.#context = context;
  }

  /** Connections or associations that are open or being dialled. */
  get active(): number {
    return this.#active;
  }

  /** Whether checks pass and the last dial worked, as far as there were any. */
  get isHealthy(): boolean {
    return this.#passesChecks && this.#failedInARow === 0;
  }

  /** Whether it is tried in its turn: it is well, or its backoff is over and no check says otherwise. */
  get isPreferred(): boolean {
    return (
      this.isHealthy || (this.#passesChecks && this.#context.clock.monotonicMs() >= this.#ejectedUntilMs)
    );
  }

  get health(): RemoteHealth {
    const failing = this.isHealthy ? '' : 'DialFailed';
    const reason = this.#passesChecks ? failing : 'CheckFailed';
    return {
      address: this.text,
      healthy: this.isHealthy,
      reason,
      active: this.#active,
      dials: this.#dials,
      failed: this.#failed,
    };
  }

  /** What is known of it. */
  get state(): RemoteState {
    const ejectedForMs = Math.max(0, this.#ejectedUntilMs - this.#context.clock.monotonicMs());
    return { isUp: this.#isUp, failedInARow: this.#failedInARow, ejectedForMs };
  }

  /** Takes over what is known of it elsewhere. */
  restore({ isUp, failedInARow, ejectedForMs }: RemoteState): void {
    this.#isUp = isUp;
    this.#failedInARow = failedInARow;
    this.#ejectedUntilMs = this.#context.clock.monotonicMs() + ejectedForMs;
  }

  /** Takes note of what happened elsewhere, where it was logged and counted. */
  apply(event: RemoteEvent): void {
    if (event === 'works') this.#failedInARow = 0;
    if (event === 'failed') this.#failedInARow += 1;
    if (event === 'failed' || event === 'probed') this.#eject();
  }

  /** A dial begins, for a connection that counts until `leave`. */
  acquire(): void {
    this.#active += 1;
    this.#dials += 1;
  }

  /** What `enter` counted has ended. */
  release(): void {
    this.#active -= 1;
  }

  /** Somebody tries it after its backoff; while that is unknown the others do not wait for it, too. */
  probe(): void {
    this.#record('probed');
  }

  /** A dial failed: it is tried last for a while, longer each time. */
  fail(err: Error): void {
    this.#failed += 1;
    this.#record('failed');
    this.#context.errors.add({ ...this.#names(), side: 'upstream', error: err });
    if (this.#failedInARow > 1) return;
    this.#context.log.warn({ ...this.#names(), err }, 'remote is tried last for a while, since it failed');
  }

  /** A dial worked. */
  succeed(): void {
    if (this.#failedInARow === 0) return;
    this.#record('works');
    this.#context.log.info(this.#names(), 'remote works again');
  }

  /** A health check passed: healthy again after `threshold` in a row. */
  passCheck(threshold: number): void {
    this.succeed();
    if (!this.#turns(true, threshold)) return;
    this.#context.log.info(this.#names(), 'remote is healthy again');
  }

  /** A health check failed: unhealthy, and so tried last, after `threshold` in a row. */
  failCheck(threshold: number, err: Error): void {
    if (!this.#turns(false, threshold)) return;
    const reason = 'HealthCheckFailed';
    this.#context.errors.add({ ...this.#names(), side: 'upstream', reason, error: err });
    this.#context.log.warn({ ...this.#names(), err }, 'remote is unhealthy');
  }

  /** What checks of `checked` find counts for it, too; undefined = it is checked itself. */
  mirrorChecksOf(checked: Remote | undefined): void {
    this.#mirrored = checked;
  }

  /** It is not checked any more. */
  clearChecks(): void {
    this.#isUp = true;
    this.#contraryChecks = 0;
  }

  get #passesChecks(): boolean {
    return (this.#mirrored ?? this).#isUp;
  }

  #record(event: RemoteEvent): void {
    this.apply(event);
    this.#context.onEvent?.(this.text, event);
  }

  /** Whether one more check that says `isUp` changes what it is. */
  #turns(isUp: boolean, threshold: number): boolean {
    this.#contraryChecks = this.#isUp === isUp ? 0 : this.#contraryChecks + 1;
    if (this.#contraryChecks === 0 || this.#contraryChecks < threshold) return false;
    this.#isUp = isUp;
    this.#contraryChecks = 0;
    this.#record('checked');
    return true;
  }

  #eject(): void {
    const { clock, random } = this.#context;
    const delayMs = backoffMs(ejection, Math.max(1, this.#failedInARow), random());
    this.#ejectedUntilMs = clock.monotonicMs() + delayMs;
  }

  #names(): { endpoint: string; upstream: string } {
    return { endpoint: this.#context.endpoint, upstream: this.text };
  }
}
