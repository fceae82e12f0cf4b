import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { asError, errorCode, RealmError } from '../lib/errors.ts';

/** A configuration file is not larger than a ConfigMap can be, with room to spare. */
const mostBytes = 4 * 1024 * 1024;

/** An editor may write a file in several steps. */
const settleMs = 50;

/** How often it is looked at without being told: not every file system tells of changes. */
const pollMs = 5000;

/** The configuration file cannot be read; `cause` is the reason. */
export class ConfigFileError extends RealmError {
  readonly code = 'REALM_CONFIG_UNREADABLE';
}

/** What stands in a configuration file. */
export type ConfigText = {
  readonly text: string;
  /** SHA-256 of the file's bytes, in hex. */
  readonly hash: string;
};

/**
 * Reads the file at `path`.
 *
 * @throws ConfigFileError
 */
export async function readConfigText(path: string): Promise<ConfigText> {
  try {
    const { size } = await stat(path);
    if (size > mostBytes) throw new Error(`it is larger than ${String(mostBytes)} bytes`);
    const bytes = await readFile(path);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { text, hash: createHash('sha256').update(bytes).digest('hex') };
  } catch (error) {
    throw new ConfigFileError(`${path}: ${reason(error)}`, { cause: error });
  }
}

function reason(error: unknown): string {
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file: check the path',
    EACCES: 'it may not be read: check its permissions',
    EISDIR: 'it is a folder: give the file',
    ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text: write it anew',
  };
  return known[errorCode(error)] ?? `it cannot be read: ${asError(error).message}`;
}

/** Who is told of changes. */
export type ConfigFileListeners = {
  readonly onText: (text: ConfigText) => void;
  /** Told once per reason, until the file can be read again. */
  readonly onError: (error: Error) => void;
};

/**
 * Follows the file at `path`: its own changes, a rename over it, and the swap of the symlink `..data` by
 * which a ConfigMap's folder changes.
 */
export class ConfigFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #listeners: ConfigFileListeners;
  #lastHash: string;
  #lastError = '';
  #watcher: FSWatcher | undefined;
  #stopSettling: () => void = () => undefined;
  #stopPolling: () => void = () => undefined;
  #isStopped = false;

  /** @param lastHash  of what was read already: only other text is told. */
  constructor(path: string, lastHash: string, clock: Clock, listeners: ConfigFileListeners) {
    this.#path = path;
    this.#lastHash = lastHash;
    this.#clock = clock;
    this.#listeners = listeners;
  }

  /** Begins to follow; what changed since it was read is told, too. */
  start(): void {
    this.#poll();
  }

  stop(): void {
    this.#isStopped = true;
    this.#watcher?.close();
    this.#stopSettling();
    this.#stopPolling();
  }

  #poll(): void {
    if (this.#isStopped) return;
    this.#watch();
    this.#stopPolling = this.#clock.after(pollMs, () => {
      this.#poll();
    });
    void this.#look();
  }

  #watch(): void {
    if (this.#watcher !== undefined) return;
    try {
      const watcher = watch(dirname(this.#path), { persistent: false }, () => {
        this.#stopSettling();
        this.#stopSettling = this.#clock.after(settleMs, () => void this.#look());
      });
      this.#watcher = watcher.on('error', () => {
        watcher.close();
        this.#watcher = undefined;
      });
    } catch {
      // The folder is not there, or cannot be watched: the poll goes on.
    }
  }

  async #look(): Promise<void> {
    try {
      const read = await readConfigText(this.#path);
      this.#lastError = '';
      if (this.#isStopped || read.hash === this.#lastHash) return;
      this.#lastHash = read.hash;
      this.#listeners.onText(read);
    } catch (error) {
      const told = asError(error);
      if (this.#isStopped || told.message === this.#lastError) return;
      this.#lastError = told.message;
      this.#listeners.onError(told);
    }
  }
}
