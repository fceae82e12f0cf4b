import { socketAddressText, type SocketAddress } from '../config/address.ts';
import { backoffMs, type Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { IpAddress } from '../lib/ip-address.ts';
import type { Logger } from '../telemetry/logger.ts';

/** How long a remote whose dials fail is tried last. */
const ejection: Backoff = { firstMs: 1000, mostMs: 60_000 };

/** What a remote works with. */
export type RemoteContext = {
  readonly endpoint: string;
  readonly log: Logger;
  readonly clock: Clock;
  /** In [0, 1), for the jitter of the backoff. */
  readonly random: () => number;
};

/** How a remote is, as `/status` tells it. */
export type RemoteHealth = {
  readonly address: string;
  /** Is tried in its turn; false = last, since dials failed. */
  readonly healthy: boolean;
  /** Connections or associations that are open or being dialled. */
  readonly active: number;
  /** Dials that failed. */
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
  #failed = 0;
  #failedInARow = 0;
  #ejectedUntilMs = 0;

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

  /** Whether the last dial worked, or there was none. */
  get isWell(): boolean {
    return this.#failedInARow === 0;
  }

  /** Whether it is tried in its turn: it is well, or its backoff is over. */
  get isPreferred(): boolean {
    return this.isWell || this.#context.clock.monotonicMs() >= this.#ejectedUntilMs;
  }

  get health(): RemoteHealth {
    return { address: this.text, healthy: this.isWell, active: this.#active, failed: this.#failed };
  }

  /** A dial begins, for a connection that counts until `leave`. */
  enter(): void {
    this.#active += 1;
  }

  /** What `enter` counted has ended. */
  leave(): void {
    this.#active -= 1;
  }

  /** Somebody tries it after its backoff; while that is unknown the others do not wait for it, too. */
  probe(): void {
    this.#eject();
  }

  /** A dial failed: it is tried last for a while, longer each time. */
  fail(err: Error): void {
    this.#failed += 1;
    this.#failedInARow += 1;
    this.#eject();
    if (this.#failedInARow > 1) return;
    this.#context.log.warn({ ...this.#names(), err }, 'remote is tried last for a while, since it failed');
  }

  /** A dial worked. */
  work(): void {
    if (this.isWell) return;
    this.#failedInARow = 0;
    this.#context.log.info(this.#names(), 'remote works again');
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
