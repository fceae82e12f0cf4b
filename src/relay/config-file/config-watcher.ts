import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import { FolderWatch } from '../../lib/folder-watch.ts';
import { readConfig, type ConfigSource } from './read-config.ts';

/** What a watcher calls. */
export type ConfigWatcherListeners = {
  /** Called with each new source; the next one waits until the promise resolves, and it never rejects. */
  readonly onChange: (source: ConfigSource) => Promise<void>;
  /** Called once per reason, until the source can be read again. */
  readonly onError: (error: Error) => void;
};

/**
 * Watches the file or the folder at a path: writes to the files, a rename over one of them, and the swap of the
 * symlink `..data` by which a mounted ConfigMap changes.
 */
export class ConfigWatcher {
  readonly #path: string;
  readonly #listeners: ConfigWatcherListeners;
  readonly #watch: FolderWatch;
  #lastHash: string;
  #lastError = '';
  #isStopped = false;

  /** @param last  what was read already: only what differs from it is delivered. */
  constructor(path: string, last: ConfigSource, clock: Clock, listeners: ConfigWatcherListeners) {
    this.#path = path;
    this.#lastHash = last.hash;
    this.#listeners = listeners;
    this.#watch = new FolderWatch(last.folders, clock, () => this.#deliver());
  }

  /** Starts watching; what changed since it was read is delivered, too. */
  start(): void {
    this.#watch.start();
  }

  /** Delivers what was read last once more, at the next read: it could not be used yet. */
  redeliver(): void {
    this.#lastHash = '';
  }

  /** Reads now, without waiting for the file system to report a change. */
  reread(): void {
    this.#watch.check();
  }

  stop(): void {
    this.#isStopped = true;
    this.#watch.stop();
  }

  async #deliver(): Promise<void> {
    const changed = await this.#readChanged();
    if (changed !== undefined) await this.#listeners.onChange(changed);
  }

  /** @returns undefined if the source is the last one, or cannot be read. */
  async #readChanged(): Promise<ConfigSource | undefined> {
    try {
      const source = await readConfig(this.#path);
      this.#lastError = '';
      if (this.#isStopped) return undefined;
      this.#watch.watch(source.folders);
      if (source.hash === this.#lastHash) return undefined;
      this.#lastHash = source.hash;
      return source;
    } catch (error) {
      this.#reportError(asError(error));
      return undefined;
    }
  }

  #reportError(error: Error): void {
    if (this.#isStopped || error.message === this.#lastError) return;
    this.#lastError = error.message;
    this.#listeners.onError(error);
  }
}
