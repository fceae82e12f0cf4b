import type { PingConfig } from '../../config/transport.ts';
import type { Clock } from '../../lib/clock.ts';
import { RealmError } from '../../lib/errors.ts';

/** How long a peer that has answered pings before may take, if the configuration sets no limit. */
const usualTimeoutMs = 30_000;

/** The peer answered no ping in time: it is gone, or what is in between has forgotten the connection. */
class PingTimeoutError extends RealmError {
  readonly code = 'REALM_PING_TIMEOUT';

  constructor(timeoutMs: number) {
    super(`the peer answered no WebSocket ping within ${String(timeoutMs)} ms`);
  }
}

/** The other side of a WebSocket, as pings need it. */
export type PingedPeer = {
  /** Sends it a ping. */
  readonly ping: () => void;
  /** Whether an answer could not be read, or a ping would wait behind data. */
  readonly isStalled: () => boolean;
  /** Called at most once: it did not answer in time. */
  readonly onLost: (error: Error) => void;
};

/**
 * Sends a ping (RFC 6455, section 5.5.2) whenever nothing came from the peer for the interval, so that proxies in between do
 * not count the connection as idle, and reports a peer that does not answer. Whatever comes from the peer is an answer.
 *
 * Without a limit in the configuration, only a peer that has answered before is reported: Realm answers no pings.
 */
export class WebSocketPings {
  readonly #peer: PingedPeer;
  readonly #config: PingConfig;
  readonly #clock: Clock;
  #heardMs: number;
  #hasAnswered = false;
  #isStopped: boolean;
  #stopTimer: () => void = () => undefined;

  /** @param peer  open. */
  constructor(peer: PingedPeer, config: PingConfig, clock: Clock) {
    this.#peer = peer;
    this.#config = config;
    this.#clock = clock;
    this.#heardMs = clock.monotonicMs();
    this.#isStopped = config.intervalMs === 0;
    if (!this.#isStopped) this.#watch();
  }

  /** Something came from the peer, or may have come while it was not read. */
  heard(): void {
    if (!this.#isStopped) this.#heardMs = this.#clock.monotonicMs();
  }

  /** A pong came, which is reported by `heard`, too. */
  answered(): void {
    this.#hasAnswered = true;
  }

  /** To be called when a direction has ended: RFC 6455, section 5.5.1, allows no frame after a close frame. */
  stop(): void {
    this.#isStopped = true;
    this.#stopTimer();
  }

  #after(ms: number, then: () => void): void {
    if (!this.#isStopped) this.#stopTimer = this.#clock.after(ms, then);
  }

  #watch(): void {
    const leftMs = this.#heardMs + this.#config.intervalMs - this.#clock.monotonicMs();
    if (leftMs > 0)
      this.#after(leftMs, () => {
        this.#watch();
      });
    else this.#ping();
  }

  /** While data waits for the peer to read it, nothing is idle, and a ping would wait behind it. */
  #ping(): void {
    const { intervalMs, timeoutMs } = this.#config;
    const isStalled = this.#peer.isStalled();
    if (!isStalled) this.#peer.ping();
    const limitMs = timeoutMs ?? (this.#hasAnswered ? usualTimeoutMs : 0);
    if (!isStalled && limitMs > 0) this.#expectAnswer(this.#clock.monotonicMs(), limitMs);
    else
      this.#after(intervalMs, () => {
        this.#watch();
      });
  }

  #expectAnswer(sinceMs: number, limitMs: number): void {
    this.#after(limitMs, () => {
      if (this.#heardMs >= sinceMs) this.#watch();
      else if (this.#peer.isStalled()) this.#expectAnswer(sinceMs, limitMs);
      else this.#peer.onLost(new PingTimeoutError(limitMs));
    });
  }
}
