import { constants } from '../kernel/constants.ts';
import { KernelSocket } from '../kernel/kernel-socket.ts';
import { landingBytes } from '../kernel/landing.ts';
import type { Poller, Work } from '../kernel/poller.ts';
import { BorrowedPipe } from './borrowed-pipe.ts';
import type { Reader } from './channel.ts';
import type { LentPipe, LentPipes } from './lent-pipes.ts';

const { EAGAIN, EINTR, EINVAL } = constants;

/** After so many reads in a row that fill the memory, a direction borrows a pipe. */
const largeReads = 4;
/** A direction that moves fewer bytes at a time goes back to copying. */
const smallBytes = 16_384;
/** Bytes that a channel reads in one turn of the event loop, so that a fast stream does not hold up the others. */
const turnBytes = 1024 * 1024;

/** What all channels of a stack share. */
export type ChannelContext = { readonly poller: Poller; readonly pipes: LentPipes };

/**
 * The half of a channel that reads: small reads through memory that all channels share, large ones through a pipe. It is the
 * base of a channel, instead of a part of it, because each connection has two of them and another object would cost memory.
 */
export abstract class ChannelInput implements Work {
  protected readonly context: ChannelContext;
  protected readonly socket: KernelSocket;
  protected reader: Reader | undefined;
  protected isReading = false;
  protected isReadable = false;
  /** Whether the end, or an error, is to be read: then a short read is not the last one. */
  protected isHangUp = false;
  protected isClosed = false;
  protected hasPeerEnded = false;
  /** Through which what is read here moves to the other side; undefined until much is read. */
  #borrowed: BorrowedPipe | undefined;
  #largeReads = 0;
  #isQueued = false;

  constructor(context: ChannelContext, socket: KernelSocket) {
    this.context = context;
    this.socket = socket;
  }

  /** Sends what a pipe holds, after everything that was written. @returns whether all of it is sent. */
  abstract writeFrom(lent: LentPipe): boolean;

  protected abstract fail(call: string, number: number): void;

  /** The reader has learned of the end. */
  protected abstract onPeerEnded(): void;

  /** Goes on reading in a later turn. */
  run(): void {
    this.#isQueued = false;
    if (this.isReading && this.isReadable && !this.isClosed) this.read();
  }

  /** Reads until nothing is left, the reader has enough, or others have to have a turn. */
  protected read(): void {
    if (this.#isQueued) return;
    for (let left = turnBytes; left > 0;) {
      const count = this.#readOnce();
      if (count <= 0 || !this.isReading || !this.isReadable) return;
      left -= count;
    }
    this.#isQueued = true;
    this.context.poller.later(this);
  }

  protected giveBackPipe(): void {
    this.#borrowed?.giveBack();
  }

  /** @returns how many bytes were read; 0 or less if there is nothing more to read for now. */
  #readOnce(): number {
    const { reader } = this;
    if (reader === undefined) return 0;
    const { target, maxBytes } = reader;
    if (this.#largeReads >= largeReads && maxBytes >= landingBytes && target instanceof ChannelInput) {
      const lent = this.#borrow();
      if (lent !== undefined) return this.#splice(reader, target, lent);
    }
    return this.#copy(reader, Math.min(maxBytes, landingBytes));
  }

  #copy(reader: Reader, maxBytes: number): number {
    const count = this.socket.land(maxBytes);
    if (count <= 0) return this.#onNothing(reader, count);
    if (count < maxBytes) {
      // epoll(7): a stream that returned less than requested is drained
      this.isReadable = this.isHangUp;
      this.#largeReads = 0;
    } else this.#largeReads += 1;
    if (reader.target === undefined) this.context.poller.needsTick();
    if (!reader.take(KernelSocket.landed(count))) this.isReading = false;
    return count;
  }

  #splice(reader: Reader, target: ChannelInput, lent: LentPipe): number {
    const count = this.socket.spliceTo(lent.pipe);
    if (count === -EINVAL) {
      if (this.#borrowed !== undefined) this.#borrowed.canSplice = false;
      return 1;
    }
    if (count <= 0) return this.#onNothing(reader, count);
    lent.isUsed = true;
    if (count < smallBytes) this.#largeReads = 0;
    reader.moved(count);
    if (target.writeFrom(lent)) return count;
    this.isReading = false;
    if (!this.isClosed) reader.blocked();
    return count;
  }

  /** The pipe of this direction; undefined if there is none to be had, or what it holds is still being sent. */
  #borrow(): LentPipe | undefined {
    this.#borrowed ??= new BorrowedPipe(this.context.pipes);
    if (!this.#borrowed.canSplice || this.#borrowed.isFull) return undefined;
    const lent = this.#borrowed.borrow();
    if (lent === undefined) this.#largeReads = 0; // asks again after the next large reads
    return lent;
  }

  #onNothing(reader: Reader, count: number): number {
    if (count === -EAGAIN) this.isReadable = false;
    else if (count === 0) this.#onEnd(reader);
    else if (count !== -EINTR) this.fail('read', count);
    return count === -EINTR ? 1 : 0;
  }

  #onEnd(reader: Reader): void {
    this.hasPeerEnded = true;
    this.isReading = false;
    this.giveBackPipe();
    this.context.poller.needsTick();
    reader.end();
    this.onPeerEnded();
  }
}
