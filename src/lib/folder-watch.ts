import { watch, type FSWatcher } from 'node:fs';
import type { Clock } from './clock.ts';

/** An editor may write a file in several steps. */
const settleMs = 10;

/** How often is looked without being told: not every file system tells of changes. */
const pollMs = 5_000;

/**
 * Calls back when something in some folders may have changed: soon after the file system tells of it, and from time to
 * time without that. The callback finds out what changed, if anything.
 */
export class FolderWatch {
  #folders: ReadonlySet<string>;
  readonly #clock: Clock;
  readonly #onPossibleChange: () => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #stopSettling: () => void = () => undefined;
  #stopPolling: () => void = () => undefined;

  constructor(folders: Iterable<string>, clock: Clock, onPossibleChange: () => void) {
    this.#folders = new Set(folders);
    this.#clock = clock;
    this.#onPossibleChange = onPossibleChange;
  }

  /** Begins to watch; calls back at once, for what changed before. */
  start(): void {
    for (const folder of this.#folders) this.#watch(folder);
    this.#stopPolling = this.#clock.after(pollMs, () => {
      this.start();
    });
    this.#onPossibleChange();
  }

  /** Watches `folders` from now on, and no others. */
  watch(folders: Iterable<string>): void {
    this.#folders = new Set(folders);
    for (const folder of this.#folders) this.#watch(folder);
    for (const folder of this.#watchers.keys()) if (!this.#folders.has(folder)) this.#unwatch(folder);
  }

  /** Calls back no more. */
  stop(): void {
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
        this.#stopSettling = this.#clock.after(settleMs, this.#onPossibleChange);
      });
      watcher.on('error', () => {
        this.#unwatch(folder);
      });
      this.#watchers.set(folder, watcher);
    } catch {
      // The folder is not there, or cannot be watched: the poll goes on.
    }
  }
}
