import type { Socket } from 'node:net';
import { errorCode } from '../../lib/errors.ts';
import { constants } from '../kernel/constants.ts';
import { systemError } from '../kernel/errno.ts';
import { KernelSocket } from '../kernel/kernel-socket.ts';
import { landingBytes } from '../kernel/landing.ts';
import type { Poller, Watcher, Work } from '../kernel/poller.ts';
import type { Address, Channel, ChannelOwner, Reader, SocketSettings } from './channel.ts';
import { applySettings, streamOf } from './kernel-settings.ts';
import type { LentPipe, LentPipes } from './lent-pipes.ts';

const { EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP, EPOLLET, EAGAIN, EINTR, EINVAL } = constants;

/** Edge-triggered, registered once: what is readable and writable is remembered here. */
const watchedEvents = (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) >>> 0;
const hangUps = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/** After so many reads in a row that fill the memory, a direction borrows a pipe. */
const largeReads = 4;
/** A direction that moves fewer bytes at a time goes back to copying. */
const smallBytes = 16_384;
/** Bytes that a channel reads in one turn of the event loop, so that a fast stream does not hold up the others. */
const turnBytes = 1024 * 1024;

/** What all channels of a stack share. */
export type ChannelContext = { readonly poller: Poller; readonly pipes: LentPipes };

const unknown: Address = { address: '', port: 0 };
/** Of a channel that has nothing to send, as most have most of the time. */
const noOutput: (Uint8Array | LentPipe)[] = [];

/** A TCP connection on system calls. */
export class KernelChannel implements Channel, Watcher, Work {
  readonly #context: ChannelContext;
  readonly #socket: KernelSocket;
  #reader: Reader | undefined;
  #owner: ChannelOwner | undefined;
  /** Why it is not watched; undefined if it is. */
  readonly #unwatched: NodeJS.ErrnoException | undefined;
  /** While it connects: where to, and who is waiting. */
  #connectingTo: Address = unknown;
  #reportConnect: ((error: Error | undefined) => void) | undefined;
  /** What the kernel has not accepted yet, in order. */
  #output: (Uint8Array | LentPipe)[] = noOutput;
  /** Through which what is read here moves to the other side. */
  #lent: LentPipe | undefined;
  #largeReads = 0;
  #canSplice = true;
  #isReading = false;
  #isReadable = false;
  /** Whether the end, or an error, is to be read: then a short read is not the last one. */
  #isHangUp = false;
  #isQueued = false;
  #hasFailed = false;
  #hasPeerEnded = false;
  #isEnding = false;
  #isShut = false;
  #isClosed = false;

  /** @param socket  owned by the channel from now on. */
  constructor(context: ChannelContext, socket: KernelSocket) {
    this.#context = context;
    this.#socket = socket;
    try {
      context.poller.add(socket, watchedEvents, this);
    } catch (error) {
      if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'ENOMEM') throw error;
      this.#unwatched = error as NodeJS.ErrnoException; // fs.epoll.max_user_watches is reached
      context.poller.later(this);
    }
  }

  get waitingBytes(): number {
    let bytes = 0;
    for (const each of this.#output) bytes += each instanceof Uint8Array ? each.length : each.pipe.held;
    return bytes;
  }

  unacknowledged(): number | undefined {
    return this.#isClosed ? 0 : this.#socket.unacknowledged();
  }

  /** Whether something waits, if only a pipe whose last bytes were discarded. */
  get #isWaiting(): boolean {
    return this.#output.length > 0;
  }

  local(): Address {
    return this.#isClosed ? unknown : this.#socket.localAddress();
  }

  remote(): Address {
    return this.#isClosed ? unknown : this.#socket.remoteAddress();
  }

  /** To be called right after `connect` of its socket: reports the outcome once it is known, unless it is closed before. */
  awaitConnect(to: Address, report: (error: Error | undefined) => void): void {
    this.#connectingTo = to;
    this.#reportConnect = report;
  }

  open(reader: Reader, owner: ChannelOwner, settings: SocketSettings): void {
    this.#reader = reader;
    this.#owner = owner;
    applySettings(this.#socket, settings);
  }

  resume(): void {
    if (this.#isReading || this.#hasPeerEnded || this.#isClosed) return;
    this.#isReading = true;
    if (this.#isReadable) this.#read();
  }

  write(part: Uint8Array): boolean {
    if (this.#isClosed) return false;
    if (this.#isWaiting) {
      this.#queue(Buffer.from(part));
      return false;
    }
    const count = this.#socket.send(part);
    if (count === part.length) return true;
    if (count < 0 && count !== -EAGAIN) this.#fail('write', count);
    else this.#queue(Buffer.from(part.subarray(Math.max(0, count)))); // a copy: the memory is reused
    return false;
  }

  /** Sends what a pipe holds, after everything that was written. @returns whether all of it is sent. */
  writeFrom(lent: LentPipe): boolean {
    if (this.#isClosed) return false;
    if (!this.#isWaiting && this.#empty(lent)) return true;
    this.#queuePipe(lent);
    return false;
  }

  probe(): void {
    if (!this.#isReading || this.#hasPeerEnded) this.#noticeError();
  }

  stream(settings: SocketSettings): Socket {
    applySettings(this.#socket, settings);
    return streamOf(this.handOver());
  }

  handOver(): number {
    if (this.#unwatched === undefined) this.#context.poller.remove(this.#socket);
    this.#isClosed = true;
    return this.#socket.release();
  }

  end(): void {
    if (this.#isEnding || this.#isClosed) return;
    this.#isEnding = true;
    if (!this.#isWaiting) this.#shutDown();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#forget();
    this.#socket.close();
    this.#reportClosed();
  }

  reset(): void {
    if (this.#isClosed) return;
    this.#forget();
    this.#socket.reset();
    this.#reportClosed();
  }

  onEvents(events: number): void {
    if ((events & (EPOLLIN | hangUps)) !== 0) this.#isReadable = true;
    if ((events & hangUps) !== 0) this.#isHangUp = true;
    if (this.#reportConnect !== undefined) {
      if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) !== 0) this.#reportConnected(this.#socket.takeError());
      return;
    }
    if ((events & EPOLLOUT) !== 0 && this.#isWaiting) this.#flush();
    if (this.#isReading && this.#isReadable) this.#read();
    else if ((events & EPOLLERR) !== 0) this.#noticeLateError();
  }

  /** Goes on reading in a later turn. */
  run(): void {
    this.#isQueued = false;
    if (this.#unwatched !== undefined) this.#failUnwatched(this.#unwatched.errno ?? 0);
    if (this.#isReading && this.#isReadable && !this.#isClosed) this.#read();
  }

  /** @param number  0, or a negative error number. */
  #reportConnected(number: number): void {
    const [report, { address, port }] = [this.#reportConnect, this.#connectingTo];
    this.#reportConnect = undefined;
    this.#context.poller.needsTick();
    report?.(number === 0 ? undefined : systemError('connect', number, { address, port }));
  }

  /** Reads until nothing is left, the reader has enough, or others have to have a turn. */
  #read(): void {
    if (this.#isQueued) return;
    for (let left = turnBytes; left > 0;) {
      const count = this.#readOnce();
      if (count <= 0 || !this.#isReading || !this.#isReadable) return;
      left -= count;
    }
    this.#isQueued = true;
    this.#context.poller.later(this);
  }

  /** @returns how many bytes were read; 0 or less if there is nothing more to read for now. */
  #readOnce(): number {
    const reader = this.#reader;
    if (reader === undefined) return 0;
    const isLarge = this.#largeReads >= largeReads && reader.maxBytes >= landingBytes;
    if (isLarge && reader.target instanceof KernelChannel) {
      const lent = this.#borrow();
      if (lent !== undefined) return this.#splice(reader, reader.target, lent);
    }
    return this.#copy(reader);
  }

  #copy(reader: Reader): number {
    const { maxBytes } = reader;
    const count = this.#socket.land(maxBytes);
    if (count <= 0) return this.#onNothing(reader, count);
    if (count < Math.min(maxBytes, landingBytes)) {
      // epoll(7): a stream that returned less than requested is drained
      this.#isReadable = this.#isHangUp;
      this.#largeReads = 0;
    } else this.#largeReads += 1;
    if (reader.target === undefined) this.#context.poller.needsTick();
    if (!reader.take(KernelSocket.landed(count))) this.#isReading = false;
    return count;
  }

  #splice(reader: Reader, target: KernelChannel, lent: LentPipe): number {
    const count = this.#socket.spliceTo(lent.pipe);
    if (count === -EINVAL) {
      this.#canSplice = false; // not every protocol has it
      return 1;
    }
    if (count <= 0) return this.#onNothing(reader, count);
    lent.isUsed = true;
    if (count < smallBytes) this.#largeReads = 0;
    reader.moved(count);
    if (target.writeFrom(lent)) return count;
    this.#isReading = false;
    if (!this.#isClosed) reader.blocked();
    return count;
  }

  /** The pipe of this direction; undefined if there is none to be had, or what it holds is still being sent. */
  #borrow(): LentPipe | undefined {
    if (!this.#canSplice || (this.#lent !== undefined && this.#lent.pipe.held > 0)) return undefined;
    this.#lent ??= this.#context.pipes.lend(() => {
      this.#giveBack();
    });
    if (this.#lent === undefined) this.#largeReads = 0; // asks again after the next large reads
    return this.#lent;
  }

  #giveBack(): void {
    const lent = this.#lent;
    this.#lent = undefined;
    lent?.release();
  }

  #onNothing(reader: Reader, count: number): number {
    if (count === -EAGAIN) this.#isReadable = false;
    else if (count === 0) this.#onPeerEnded(reader);
    else if (count !== -EINTR) this.#fail('read', count);
    return count === -EINTR ? 1 : 0;
  }

  #onPeerEnded(reader: Reader): void {
    this.#hasPeerEnded = true;
    this.#isReading = false;
    this.#giveBack();
    this.#context.poller.needsTick();
    reader.end();
    if (this.#isShut) this.close();
  }

  /** Once the peer has ended its side, no read notices any more that it is gone. */
  #noticeLateError(): void {
    if (this.#hasPeerEnded) this.#noticeError();
  }

  /** Fails if the kernel has an error for the connection. */
  #noticeError(): void {
    if (this.#isClosed || this.#hasFailed) return;
    const number = this.#socket.takeError();
    if (number !== 0) this.#fail('read', number);
  }

  #flush(): void {
    for (let next = this.#output[0]; next !== undefined; next = this.#output[0]) {
      const isDone = next instanceof Uint8Array ? this.#send(next) : this.#empty(next);
      if (!isDone) return;
      if (!(next instanceof Uint8Array)) next.release();
      this.#output.shift();
    }
    this.#output = noOutput;
    if (this.#isEnding) this.#shutDown();
    if (!this.#isClosed) this.#owner?.onDrained(this);
  }

  /** Sends the first part of the output. @returns whether it is sent. */
  #send(part: Uint8Array): boolean {
    const count = this.#socket.send(part);
    if (count === part.length) return true;
    if (count >= 0) this.#output[0] = part.subarray(count);
    else if (count !== -EAGAIN) this.#fail('write', count);
    return false;
  }

  /** Sends what a pipe holds. @returns whether all of it is sent. */
  #empty({ pipe }: LentPipe): boolean {
    while (pipe.held > 0) {
      const count = this.#socket.spliceFrom(pipe);
      if (count > 0 || count === -EINTR) continue;
      if (count !== -EAGAIN) this.#fail('write', count);
      return false;
    }
    return true;
  }

  /** A channel that failed meanwhile sends nothing more. */
  #queuePipe(lent: LentPipe): void {
    if (this.#isClosed || this.#hasFailed) return;
    lent.hold();
    this.#queue(lent);
  }

  #queue(part: Uint8Array | LentPipe): void {
    if (this.#output === noOutput) this.#output = [];
    this.#output.push(part);
  }

  /** Called only once everything is written. */
  #shutDown(): void {
    this.#isShut = true;
    if (this.#hasPeerEnded)
      this.close(); // sends FIN, too
    else this.#socket.shutdown(); // fails if it is no longer connected: its read reports that
  }

  #fail(call: string, number: number): void {
    if (this.#hasFailed || this.#isClosed) return;
    this.#hasFailed = true;
    this.#isReading = false;
    this.#context.poller.needsTick();
    this.#owner?.onFailed(this, systemError(call, number));
  }

  #failUnwatched(number: number): void {
    if (this.#reportConnect === undefined) this.#fail('epoll_ctl', number);
    else this.#reportConnected(number);
  }

  /** What is not sent is discarded with the socket. */
  #forget(): void {
    this.#isClosed = true;
    this.#isReading = false;
    this.#reportConnect = undefined;
    if (this.#unwatched === undefined) this.#context.poller.forget(this.#socket);
    this.#giveBack();
    for (const each of this.#output) if (!(each instanceof Uint8Array)) each.release();
    this.#output = noOutput;
  }

  #reportClosed(): void {
    this.#context.poller.needsTick();
    this.#owner?.onClosed(this);
  }
}
