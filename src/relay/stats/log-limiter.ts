import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';

/** Lines of one kind that are written within `periodMs` of the first. */
const maxLines = 20;
const periodMs = 10_000;

/** Logs a line; `message` is a constant sentence. */
export type Warn = (fields: object, message: string) => void;

/** The lines with one message since `sinceMs`. */
type Period = { readonly sinceMs: number; count: number; stopTimer: () => void };

/**
 * Limits the lines of an endpoint that may come by the thousand: of each message it writes 20 in ten seconds, then
 * one line with the number of those it suppressed. At level debug it writes them all.
 */
export class LogLimiter {
  readonly #log: Logger;
  readonly #clock: Clock;
  /** The endpoint's name, which may change. */
  readonly #endpoint: () => string;
  readonly #periods = new Map<string, Period>();

  constructor(log: Logger, clock: Clock, endpoint: () => string) {
    this.#log = log;
    this.#clock = clock;
    this.#endpoint = endpoint;
  }

  readonly warn: Warn = (fields, message) => {
    this.#write('warn', fields, message);
  };

  readonly error: Warn = (fields, message) => {
    this.#write('error', fields, message);
  };

  readonly info: Warn = (fields, message) => {
    this.#write('info', fields, message);
  };

  #write(level: 'error' | 'warn' | 'info', fields: object, message: string): void {
    const period = this.#period(message);
    period.count += 1;
    if (period.count <= maxLines) this.#log[level](fields, message);
    else this.#log.debug(fields, message);
    if (period.count === maxLines + 1) this.#watch(message, period);
  }

  /** Ends every period now, and logs how many warnings were suppressed. */
  end(): void {
    for (const message of [...this.#periods.keys()]) this.#end(message);
  }

  #period(message: string): Period {
    const nowMs = this.#clock.monotonicMs();
    const running = this.#periods.get(message);
    if (running !== undefined && nowMs - running.sinceMs < periodMs) return running;
    this.#end(message);
    const period = { sinceMs: nowMs, count: 0, stopTimer: () => undefined };
    this.#periods.set(message, period);
    return period;
  }

  #watch(message: string, period: Period): void {
    const leftMs = period.sinceMs + periodMs - this.#clock.monotonicMs();
    period.stopTimer = this.#clock.after(leftMs, () => {
      this.#end(message);
    });
  }

  #end(message: string): void {
    const { count = 0, stopTimer } = this.#periods.get(message) ?? {};
    stopTimer?.();
    this.#periods.delete(message);
    const more = count - maxLines;
    if (more > 0)
      this.#log.warn({ endpoint: this.#endpoint(), message, more }, 'similar warnings suppressed');
  }
}
