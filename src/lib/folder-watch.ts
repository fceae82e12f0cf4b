import { watch, type FSWatcher } from 'node:fs';
import type { Clock } from './clock.ts';
import { coalesced } from './coalesced.ts';

/** How long to wait after an event: an editor may write a file in several steps. */
const settleMs = 10;

/** How often folders are checked without an event: not every file system reports changes. */
const pollMs = 5_000;

/**
 * Calls back when something in a set of folders may have changed: soon after the file system reports a change, and every
 * five seconds without one. The callback finds out what has changed, if anything. It runs once at a time, and a burst of
 * changes costs two runs.
 */
export class FolderWatch {
  #folders: ReadonlySet<string>;
  readonly #clock: Clock;
  readonly #check: () => Promise<void>;
  readonly #watchers = new Map<string, FSWatcher>();
  #isStopped = false;
  #stopSettling: () => void = () => undefined;
  #stopPolling: () => void = () => undefined;

  /** @param onPossibleChange  never rejects. */
  constructor(folders: Iterable<string>, clock: Clock, onPossibleChange: () => Promise<void>) {
    this.#folders = new Set(folders);
    this.#clock = clock;
    this.#check = coalesced(async () => {
      if (!this.#isStopped) await onPossibleChange();
    });
  }

  /** Starts watching. Calls back at once, for changes that came before. */
  start(): void {
    for (const folder of this.#folders) this.#watch(folder);
    this.#stopPolling = this.#clock.after(pollMs, () => {
      this.start();
    });
    this.check();
  }

  /** Calls back now, as for a change. */
  check(): void {
    void this.#check();
  }

  /** Watches `folders` from now on instead of the previous ones. */
  watch(folders: Iterable<string>): void {
    this.#folders = new Set(folders);
    for (const folder of this.#folders) this.#watch(folder);
    for (const folder of this.#watchers.keys()) if (!this.#folders.has(folder)) this.#unwatch(folder);
  }

  /** Stops watching; the callback is not called again. */
  stop(): void {
    this.#isStopped = true;
    this.#stopSettling();
    this.#stopPolling();
    for (const folder of this.#watchers.keys()) this.#unwatch(folder);
  }

  #unwatch(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #watch(folder: string): void {
    if (this.#watchers.has(folder)) return;
    try {
      const watcher = watch(folder, { persistent: false }, () => {
        this.#stopSettling();
        this.#stopSettling = this.#clock.after(settleMs, () => {
          this.check();
        });
      });
      watcher.on('error', () => {
        this.#unwatch(folder);
      });
      this.#watchers.set(folder, watcher);
    } catch {
      // The folder does not exist or cannot be watched: polling continues.
    }
  }
}
