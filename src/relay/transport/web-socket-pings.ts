import type { WebSocket } from 'ws';
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

/**
 * Sends a ping (RFC 6455, section 5.5.2) whenever nothing came from the peer for the interval, so that proxies in between do
 * not count the connection as idle, and reports a peer that does not answer. Whatever comes from the peer is an answer.
 *
 * Without a limit in the configuration, only a peer that has answered before is reported: Realm answers no pings.
 */
export class WebSocketPings {
  readonly #socket: WebSocket;
  readonly #config: PingConfig;
  readonly #clock: Clock;
  readonly #onLost: (error: Error) => void;
  #heardMs: number;
  #hasAnswered = false;
  #isStopped = false;
  #stopTimer: () => void = () => undefined;

  /** @param socket  open. @param onLost  called at most once. */
  constructor(socket: WebSocket, config: PingConfig, clock: Clock, onLost: (error: Error) => void) {
    this.#socket = socket;
    this.#config = config;
    this.#clock = clock;
    this.#onLost = onLost;
    this.#heardMs = clock.monotonicMs();
    if (config.intervalMs === 0) return;
    socket.on('message', this.heard).on('ping', this.heard);
    socket.on('pong', () => {
      this.#hasAnswered = true;
      this.heard();
    });
    this.#watch();
  }

  /** Something came from the peer, or may have come while it was not read. */
  readonly heard = (): void => {
    this.#heardMs = this.#clock.monotonicMs();
  };

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
    const isStalled = this.#isStalled();
    if (!isStalled) this.#socket.ping();
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
      else if (this.#isStalled()) this.#expectAnswer(sinceMs, limitMs);
      else this.#onLost(new PingTimeoutError(limitMs));
    });
  }

  /** Whether an answer could not be read, or a ping not be sent. */
  #isStalled(): boolean {
    return this.#socket.isPaused || this.#socket.bufferedAmount > 0;
  }
}
