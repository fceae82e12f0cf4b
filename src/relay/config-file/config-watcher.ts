import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import { FolderWatch } from '../../lib/folder-watch.ts';
import { readConfig, type ConfigSource } from './read-config.ts';

/** Who is told of changes. */
export type ConfigWatcherListeners = {
  readonly onChange: (source: ConfigSource) => void;
  /** Told once per reason, until the file can be read again. */
  readonly onError: (error: Error) => void;
};

/**
 * Follows the file or the folder at a path: changes of the files, a rename over one, and the swap of the
 * symlink `..data` by which a ConfigMap's folder changes.
 */
export class ConfigWatcher {
  readonly #path: string;
  readonly #listeners: ConfigWatcherListeners;
  readonly #watch: FolderWatch;
  #lastHash: string;
  #lastError = '';
  #isStopped = false;
  #reading: Promise<void> = Promise.resolve();

  /** @param last  what was read already: only what differs from it is told. */
  constructor(path: string, last: ConfigSource, clock: Clock, listeners: ConfigWatcherListeners) {
    this.#path = path;
    this.#lastHash = last.hash;
    this.#listeners = listeners;
    this.#watch = new FolderWatch(last.folders, clock, () => {
      this.reread();
    });
  }

  /** Begins to follow; what changed since it was read is told, too. */
  start(): void {
    this.#watch.start();
  }

  /** Tells of what it read last once more, at the next look: it could not be used yet. */
  redeliver(): void {
    this.#lastHash = '';
  }

  /** Reads it now, without waiting to be told of a change. */
  reread(): void {
    this.#reading = this.#reading.then(() => this.#read()); // one by one: what was read first is told first
  }

  stop(): void {
    this.#isStopped = true;
    this.#watch.stop();
  }

  async #read(): Promise<void> {
    try {
      const read = await readConfig(this.#path);
      this.#lastError = '';
      if (this.#isStopped) return;
      this.#watch.watch(read.folders);
      if (read.hash === this.#lastHash) return;
      this.#lastHash = read.hash;
      this.#listeners.onChange(read);
    } catch (error) {
      const told = asError(error);
      if (this.#isStopped || told.message === this.#lastError) return;
      this.#lastError = told.message;
      this.#listeners.onError(told);
    }
  }
}
