import type { LentPipe, LentPipes } from './lent-pipes.ts';

/** The pipe through which a channel moves what it reads to another one. It is borrowed while much is read. */
export class BorrowedPipe {
  /** Whether the protocol of the socket has splice(2), which not every one has. */
  canSplice = true;
  readonly #pipes: LentPipes;
  #lent: LentPipe | undefined;

  constructor(pipes: LentPipes) {
    this.#pipes = pipes;
  }

  /** Whether what was read before is still in the pipe. */
  get isFull(): boolean {
    return this.#lent !== undefined && this.#lent.pipe.held > 0;
  }

  /** The pipe; undefined if there is none to be had. */
  borrow(): LentPipe | undefined {
    this.#lent ??= this.#pipes.lend(() => {
      this.giveBack();
    });
    return this.#lent;
  }

  giveBack(): void {
    const lent = this.#lent;
    this.#lent = undefined;
    lent?.release();
  }
}
