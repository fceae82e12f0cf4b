import { errorCode } from '../../lib/errors.ts';
import { Pipe } from '../kernel/pipe.ts';
import type { DescriptorAllowance } from './channel.ts';

/** How much a pipe may hold: a stream then costs few calls, and many streams together stay within the kernel's limit. */
const pipeBytes = 1024 * 1024;
/** Source: pipe(7), fs.pipe-user-pages-soft: the pipes of one user may have 64 MiB by default. */
const maxPipes = 60;
/** Pipes that hold less are not worth their descriptors. */
const minPipeBytes = 65_536;
/** A pipe that carries nothing for so long is closed. */
const quietMs = 1000;

/** The descriptors of a pipe. */
const pipeDescriptors = 2;

/** A pipe that is lent to a connection: held by the side that fills it, and by the side that empties it. */
export class LentPipe {
  readonly pipe: Pipe;
  /** Whether it has carried something since the last sweep. */
  isUsed = true;
  readonly #takeBack: () => void;
  readonly #onClosed: () => void;
  #holders = 1;

  /** @param takeBack  makes the borrower release it. */
  constructor(pipe: Pipe, takeBack: () => void, onClosed: () => void) {
    this.pipe = pipe;
    this.#takeBack = takeBack;
    this.#onClosed = onClosed;
  }

  /** One more holder. */
  hold(): void {
    this.#holders += 1;
  }

  /** One holder less; the last one closes the pipe. */
  release(): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    this.pipe.close();
    this.#onClosed();
  }

  /** Takes it back if it has carried nothing since the last sweep, and holds nothing. */
  sweep(): void {
    if (!this.isUsed && this.pipe.held === 0) this.#takeBack();
    this.isUsed = false;
  }
}

/** A bounded number of pipes, lent to the directions that carry much. */
export class LentPipes {
  readonly #lent = new Set<LentPipe>();
  #allowance: DescriptorAllowance | undefined;
  #maxPipes = maxPipes;
  #timer: NodeJS.Timeout | undefined;

  /** Counts the descriptors of pipes there from now on. @param threads  how many share what a user may have. */
  limit(allowance: DescriptorAllowance, threads: number): void {
    this.#allowance = allowance;
    this.#maxPipes = Math.max(1, Math.floor(maxPipes / threads));
  }

  /**
   * @param takeBack  called when it has not been used for a while: it has to be released.
   * @returns undefined if no good pipe is to be had: the bytes have to be copied.
   */
  lend(takeBack: () => void): LentPipe | undefined {
    const allowance = this.#allowance;
    if (this.#lent.size >= this.#maxPipes || allowance?.hasRoom(pipeDescriptors) === false) return undefined;
    const pipe = newPipe();
    if (pipe === undefined) return undefined;
    allowance?.take(pipeDescriptors);
    const lent = new LentPipe(pipe, takeBack, () => {
      this.#lent.delete(lent);
      allowance?.release(pipeDescriptors);
    });
    this.#lent.add(lent);
    this.#timer ??= setInterval(() => {
      this.#sweep();
    }, quietMs).unref();
    return lent;
  }

  #sweep(): void {
    for (const lent of [...this.#lent]) lent.sweep();
    if (this.#lent.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function newPipe(): Pipe | undefined {
  try {
    const pipe = new Pipe(pipeBytes);
    if (pipe.capacity >= minPipeBytes) return pipe;
    pipe.close();
  } catch (error) {
    if (errorCode(error) === 'REALM_KERNEL_MISUSE') throw error; // else EMFILE or ENFILE: there is no pipe
  }
  return undefined;
}
