/**
 * Writes lines of a log, and never lets the program wait for that.
 *
 * Vocabulary: the *target* is the open descriptor; the *buffer* has the lines that the target has not taken yet; a line
 * is *dropped* if it comes while the buffer is full, or while the target fails.
 *
 * Guarantee: `write` returns at once and does not throw. A line is written whole and in order, or it is dropped, and
 * dropped lines are counted, and reported in the log where they are missing.
 */
import { write as writeInThread, writeSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import { asError, errorCode } from '../lib/errors.ts';
import type { LogTarget } from './log-target.ts';

/** Bytes of the buffer. Once it is full, lines are dropped until half of it is free. */
const maxBytes = 256 * 1024;
/** Bytes written at a time: PIPE_BUF, up to which POSIX mixes no lines of two processes in a pipe, and for files more. */
const pipeBytes = 4096;
const fileBytes = 64 * 1024;
/** How soon a full pipe is tried again: at first, and at most. */
const firstRetryMs = 1;
const maxRetryMs = 100;
/** How soon writing is tried again after an error. */
const errorRetryMs = 1000;

/** What an output works with. */
export type LogOutputOptions = {
  readonly clock: Clock;
  /** How a line is shown, e.g. readable on a terminal. */
  readonly format: (line: string) => string;
  /** The line that reports `lines` dropped ones. @param problem  why they were dropped. */
  readonly dropReport: (lines: number, problem: string) => string;
} & (
  | { readonly target: LogTarget; readonly open?: undefined }
  /** Opens the target, at the start and whenever it is opened again. */
  | { readonly target?: undefined; readonly open: () => Promise<LogTarget> }
);

/** One destination of log lines. */
export class LogOutput {
  readonly #options: LogOutputOptions;
  #target: LogTarget | undefined;
  /** Replaces the target at the next write. */
  #nextTarget: LogTarget | undefined;
  #opening: Promise<Error | undefined> | undefined;
  #lines: string[] = [];
  /** Lines that are being written, from `#offset` on. */
  #chunk: Buffer = Buffer.alloc(0);
  #offset = 0;
  /** Bytes in `#lines` and in the rest of `#chunk`. */
  #bytes = 0;
  #isInThread = false;
  #retryMs = firstRetryMs;
  #stopRetry: (() => void) | undefined;
  /** Lines are dropped at present: the buffer is full, or the last write failed. */
  #isDropping = false;
  #problem = '';
  #unreported = 0;
  #droppedLines = 0;
  #onSettled: (() => void)[] = [];
  #isClosed = false;

  constructor(options: LogOutputOptions) {
    this.#options = options;
    this.#target = options.target;
    if (options.open !== undefined) void this.#reopen(options.open).then(this.#opened);
  }

  /** Lines dropped since the start. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** Whether the kernel still has not answered a write or an open: ending the process by `exit` would wait for it. */
  get isStuck(): boolean {
    return this.#isInThread || this.#opening !== undefined;
  }

  /** Takes one line, with its line feed. */
  write(text: string): void {
    const line = this.#options.format(text);
    const bytes = Buffer.byteLength(line);
    if (!this.#isDropping && this.#bytes + bytes > maxBytes) {
      this.#problem = 'lines came faster than they could be written';
      this.#isDropping = true;
    }
    if (this.#isDropping) {
      this.#droppedLines += 1;
      this.#unreported += 1;
      if (bytes > maxBytes) this.#recover(); // it was the line's fault
    } else {
      this.#lines.push(line);
      this.#bytes += bytes;
    }
    this.#pump();
  }

  /** Whether it is a file, which can be opened again; a standard stream cannot. */
  get isFile(): boolean {
    return this.#options.open !== undefined;
  }

  /**
   * Opens the file again: if the previous one was renamed, a new one is written from now on.
   *
   * @returns the error if that fails: the previous file is still written.
   */
  async reopen(): Promise<Error | undefined> {
    const { open } = this.#options;
    if (open === undefined) return undefined;
    await this.#opening; // it may have been opened before the rename
    const error = await this.#reopen(open);
    this.#opened(error);
    return error;
  }

  /** Resolves once it was opened at the start, or that failed: with the error then. */
  async opened(): Promise<Error | undefined> {
    return this.#opening;
  }

  /** Writes what is buffered. Resolves when that is done or has failed, and in any case after `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const end = (): void => {
      resolve(undefined);
    };
    this.#onSettled.push(end);
    const timer = setTimeout(end, limitMs); // keeps the process alive, unlike those of the clock
    this.#cancelRetry();
    this.#pump();
    const isUnopened = this.#target === undefined && this.#opening === undefined;
    if (isUnopened || (this.#bytes === 0 && !this.#isInThread)) end();
    await promise;
    clearTimeout(timer);
  }

  /** Ends it; what is still buffered is dropped. */
  close(): void {
    this.#isClosed = true;
    this.#cancelRetry();
    this.#lines = [];
    this.#nextTarget?.close();
    if (!this.#isInThread) this.#target?.close();
    this.#target = undefined;
  }

  #reopen(open: () => Promise<LogTarget>): Promise<Error | undefined> {
    this.#opening ??= open()
      .then((target) => {
        this.#nextTarget?.close();
        this.#nextTarget = target;
        if (this.#isClosed) target.close();
        return undefined;
      }, asError)
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  readonly #opened = (error: Error | undefined): void => {
    if (this.#isClosed) return;
    if (error !== undefined && this.#target === undefined) this.#failed(error);
    else {
      this.#cancelRetry();
      this.#pump();
    }
  };

  /** Writes until the buffer is empty or the target takes no more. */
  #pump(): void {
    if (this.#isInThread || this.#stopRetry !== undefined) return;
    this.#adopt();
    const target = this.#target;
    if (target === undefined) return;
    if (target.isNonBlocking) while (this.#fill(target) && this.#writeNow(target));
    else if (this.#fill(target)) this.#writeInThread(target);
  }

  /** Goes on with the target that was opened last. */
  #adopt(): void {
    const next = this.#nextTarget;
    if (next === undefined) return;
    const previous = this.#target;
    this.#nextTarget = undefined;
    this.#target = next;
    previous?.close();
    if (previous !== undefined && previous.file !== next.file && this.#offset > 0) {
      const start = this.#chunk.lastIndexOf('\n', this.#offset - 1) + 1; // a file gets whole lines
      this.#bytes += this.#offset - start;
      this.#offset = start;
    }
    if (this.#bytes === 0) this.#recover();
  }

  /** @returns whether there is something to write. */
  #fill({ isNonBlocking }: LogTarget): boolean {
    if (this.#offset < this.#chunk.length) return true;
    const limit = isNonBlocking ? pipeBytes : fileBytes;
    let [count, bytes] = [0, 0];
    for (const line of this.#lines) {
      bytes += Buffer.byteLength(line);
      if (count > 0 && bytes > limit) break;
      count += 1;
    }
    this.#chunk = Buffer.from(this.#lines.splice(0, count).join(''));
    this.#offset = 0;
    return count > 0;
  }

  /** @returns whether it was taken. */
  #writeNow({ fd }: LogTarget): boolean {
    try {
      this.#wrote(writeSync(fd, this.#chunk, this.#offset));
      return true;
    } catch (error) {
      this.#failed(asError(error));
      return false;
    }
  }

  #writeInThread({ fd }: LogTarget): void {
    this.#isInThread = true;
    writeInThread(fd, this.#chunk, this.#offset, (error, count) => {
      this.#isInThread = false;
      if (this.#isClosed) return;
      if (error === null) this.#wrote(count);
      else this.#failed(error);
      this.#pump();
    });
  }

  #wrote(count: number): void {
    this.#offset += count;
    this.#bytes -= count;
    this.#retryMs = firstRetryMs;
    if (this.#bytes <= maxBytes / 2) this.#recover();
    if (this.#bytes === 0) this.#settle();
  }

  /** Takes lines again, and reports those that were dropped. */
  #recover(): void {
    this.#isDropping = false;
    if (this.#unreported === 0) return;
    const { format, dropReport } = this.#options;
    const report = format(dropReport(this.#unreported, this.#problem));
    this.#unreported = 0;
    this.#lines.push(report);
    this.#bytes += Buffer.byteLength(report);
  }

  #failed(error: Error): void {
    if (errorCode(error) === 'EAGAIN') {
      this.#retryAfter(this.#retryMs, () => {
        this.#pump();
      });
      this.#retryMs = Math.min(this.#retryMs * 2, maxRetryMs);
      return;
    }
    this.#problem = error.message;
    this.#isDropping = true;
    this.#settle();
    this.#retryAfter(errorRetryMs, () => {
      const { open } = this.#options;
      // Opened again, the file is the one that its path names: somebody may have removed the one that filled the disk.
      if (open === undefined) this.#pump();
      else void this.#reopen(open).then(this.#opened);
    });
  }

  #retryAfter(delayMs: number, retry: () => void): void {
    this.#cancelRetry();
    this.#stopRetry = this.#options.clock.after(delayMs, () => {
      this.#stopRetry = undefined;
      retry();
    });
  }

  #cancelRetry(): void {
    this.#stopRetry?.();
    this.#stopRetry = undefined;
  }

  #settle(): void {
    for (const onSettled of this.#onSettled.splice(0)) onSettled();
  }
}
