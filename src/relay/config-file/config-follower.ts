/**
 * The configuration on disk: one file, or every configuration file of a folder.
 *
 * Vocabulary: a *source* is the texts at a path and their hash (`readConfig`); the *watcher* notices when the source
 * changes (`ConfigWatcher`); the *follower* applies each new source and reports those that are rejected.
 *
 * Guarantee: sources are read whole and applied one at a time, in the order in which they were read. A source that is
 * rejected changes nothing, and the relay keeps running the previous one.
 */
import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import type { SignalSource } from '../../lib/shutdown.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { ConfigWatcher } from './config-watcher.ts';
import type { ConfigSource } from './read-config.ts';

/** What a follower works with, and what its program does with a new configuration. */
export type ConfigFollowerContext = {
  readonly log: Logger;
  readonly clock: Clock;
  /** SIGHUP makes the follower reread the source at once. */
  readonly signals: SignalSource;
  /** Runs `source` in place of the previous one. @throws whatever is wrong with it; nothing has changed then. */
  readonly apply: (source: ConfigSource) => Promise<void>;
  /** Called for each rejection: a source that cannot be read, or that `apply` throws for. */
  readonly onRejected: (error: Error) => void;
  /** Whether the same source may be accepted later, e.g. because files that it names are missing. */
  readonly isRetryable: (error: Error) => boolean;
};

/** Applies the configuration at a path whenever it changes. */
export class ConfigFollower {
  readonly #path: string;
  readonly #context: ConfigFollowerContext;
  readonly #watcher: ConfigWatcher;
  /** The message logged last; '' once a source is applied. */
  #lastProblem = '';

  /** @param source  what runs already: the follower applies only what differs from it. */
  constructor(path: string, source: ConfigSource, context: ConfigFollowerContext) {
    this.#path = path;
    this.#context = context;
    this.#watcher = new ConfigWatcher(path, source, context.clock, {
      onChange: (changed) => this.#apply(changed),
      onError: (error) => {
        this.#reject(error);
      },
    });
  }

  /** Starts following, with what changed since the source was read. */
  start(): void {
    this.#watcher.start();
    this.#context.signals.on('SIGHUP', () => {
      this.#watcher.reread();
    });
  }

  /** Stops following. SIGHUP stays handled: its default action would kill a relay that is draining. */
  stop(): void {
    this.#watcher.stop();
  }

  async #apply(source: ConfigSource): Promise<void> {
    try {
      await this.#context.apply(source);
      this.#lastProblem = '';
    } catch (error) {
      this.#reject(asError(error));
    }
  }

  /** A retryable problem comes back with each retry and is logged once; any other comes with a change, and is news. */
  #reject(err: Error): void {
    const { log, onRejected, isRetryable } = this.#context;
    onRejected(err);
    const isRetry = isRetryable(err);
    if (isRetry) this.#watcher.redeliver();
    if (isRetry && err.message === this.#lastProblem) return;
    this.#lastProblem = err.message;
    log.error({ err, source: this.#path }, 'configuration rejected, keeping the previous one');
  }
}
