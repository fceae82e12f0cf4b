import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { asError, errorCode } from '../../lib/errors.ts';
import { FolderWatch } from '../../lib/folder-watch.ts';
import { ownValue } from '../../lib/record.ts';
import type { FileBytes } from './certificates.ts';

/** How often files are read in a row while their content changes, e.g. because they are being written. */
const maxReads = 3;

/** Which files to watch, and what to make of them. */
export type WatchedFilesOptions<T> = {
  /** Read together; a change of any of them counts for all. */
  readonly paths: readonly string[];
  /** Makes the value of the files, which are in the order of `paths`. Throws if they are not valid. */
  readonly make: (files: readonly FileBytes[]) => T;
  readonly clock: Clock;
  /** Called after each new value. */
  readonly onUpdated: () => void;
  /** Called once per new problem; the previous value stays. */
  readonly onProblem: (problem: string) => void;
};

/**
 * Files that are read at the start and again whenever they change: overwritten, replaced by a rename, or swapped by
 * the link `..data` of a mounted Secret. The last valid content counts.
 */
export class WatchedFiles<T> {
  readonly #options: WatchedFilesOptions<T>;
  readonly #watch: FolderWatch;
  #value: T | undefined;
  #problem = '';
  /** What was read last; undefined if that failed. */
  #last: readonly FileBytes[] | undefined;
  #isStopped = false;

  constructor(options: WatchedFilesOptions<T>) {
    this.#options = options;
    this.#watch = new FolderWatch(
      options.paths.map((path) => dirname(path)),
      options.clock,
      () => this.load(),
    );
  }

  /** Made of the last valid files; undefined if they never were valid. */
  get value(): T | undefined {
    return this.#value;
  }

  /** Why the newest files are not used; '' if they are. */
  get problem(): string {
    return this.#problem;
  }

  /** Watches the files from now on. */
  watch(): void {
    this.#watch.start();
  }

  /** Stops watching them. */
  stop(): void {
    this.#isStopped = true;
    this.#watch.stop();
  }

  /** Reads them once, and updates `value` and `problem`. Never rejects. */
  async load(): Promise<void> {
    const problem = await this.#read();
    const isNew = problem !== '' && problem !== this.#problem;
    this.#problem = problem;
    if (isNew && !this.#isStopped) this.#options.onProblem(problem);
  }

  /** @returns what is wrong; '' if nothing is. */
  async #read(): Promise<string> {
    try {
      let files = await readAll(this.#options.paths);
      for (let reads = 1; ; reads += 1) {
        if (this.#last !== undefined && isSame(files, this.#last)) return this.#problem; // nothing new
        const problem = this.#use(files);
        const again = problem === '' || reads === maxReads ? files : await readAll(this.#options.paths);
        this.#last = files;
        if (isSame(files, again)) return problem;
        files = again;
      }
    } catch (error) {
      this.#last = undefined;
      return asError(error).message;
    }
  }

  #use(files: readonly FileBytes[]): string {
    try {
      this.#value = this.#options.make(files);
    } catch (error) {
      return asError(error).message;
    }
    if (!this.#isStopped) this.#options.onUpdated();
    return '';
  }
}

/** One after the other, so that of several unreadable files always the first one is reported. */
async function readAll(paths: readonly string[]): Promise<readonly FileBytes[]> {
  const files: FileBytes[] = [];
  for (const path of paths) files.push({ path, bytes: await readBytes(path) });
  return files;
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new Error(
      `${path}: ${ownValue(reasons, errorCode(cause)) ?? `cannot be read: ${asError(cause).message}`}`,
      {
        cause,
      },
    );
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file: check the path',
  EACCES: 'is not readable: check its permissions',
  EISDIR: 'is a folder: name a file',
};

function isSame(some: readonly FileBytes[], others: readonly FileBytes[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ bytes }, index) => others[index] !== undefined && bytes.equals(others[index].bytes))
  );
}
