import { errorCode } from '../lib/errors.ts';
import type { Logger } from './logger.ts';

/** The messages of an outage: constant sentences. */
export type OutageMessages = { readonly failing: string; readonly working: string };

/** Logs failures of what is tried again and again: each kind of failure once, and once that it works again. */
export class OutageLog {
  readonly #log: Logger;
  readonly #messages: OutageMessages;
  /** The kinds of the failures in a row. */
  readonly #logged = new Set<string>();
  readonly #failing = new Set<string>();

  /** @param fields  that every line has. */
  constructor(log: Logger, messages: OutageMessages, fields: object = {}) {
    this.#log = log.child(fields);
    this.#messages = messages;
  }

  /**
   * Logs `error` as a warning if it is the first of its kind in the outage, else for debugging.
   *
   * @param subject  what is tried, if there are several, such as a namespace; the outage lasts until all work.
   */
  failed(error: Error, fields: object = {}, subject = ''): void {
    const kind = kindOf(error);
    const level = this.#logged.has(kind) ? 'debug' : 'warn';
    this.#logged.add(kind);
    this.#failing.add(subject);
    this.#log[level]({ err: error, ...fields }, this.#messages.failing);
  }

  /** `subject` works, which ends the outage if it was the last that did not. */
  worked(subject = ''): void {
    if (!this.#failing.delete(subject) || this.#failing.size > 0) return;
    this.#logged.clear();
    this.#log.info(this.#messages.working);
  }
}

/** Without the message, which may hold what differs from one try to the next. */
function kindOf(error: Error): string {
  const status = 'status' in error ? String(error.status) : '';
  return `${error.name} ${errorCode(error)} ${status}`;
}
