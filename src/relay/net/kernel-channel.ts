import type { Socket } from 'node:net';
import { errorCode } from '../../lib/errors.ts';
import { constants } from '../kernel/constants.ts';
import { systemError } from '../kernel/errno.ts';
import type { KernelSocket } from '../kernel/kernel-socket.ts';
import type { Watcher } from '../kernel/poller.ts';
import type { Address, Channel, ChannelOwner, Reader, SocketSettings } from './channel.ts';
import { ChannelInput, type ChannelContext } from './channel-input.ts';
import { ChannelOutput, sendFromPipe } from './channel-output.ts';
import { applySettings, streamOf } from './kernel-settings.ts';
import type { LentPipe } from './lent-pipes.ts';

const { EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP, EPOLLET, EAGAIN } = constants;

/** Edge-triggered, registered once: what is readable and writable is remembered here. */
const watchedEvents = (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) >>> 0;
const hangUps = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

const unknown: Address = { address: '', port: 0 };

/** A TCP connection on system calls. */
export class KernelChannel extends ChannelInput implements Channel, Watcher {
  /** What the socket has. */
  #settings: SocketSettings;
  #owner: ChannelOwner | undefined;
  /** Why it is not watched; undefined if it is. */
  readonly #unwatched: NodeJS.ErrnoException | undefined;
  /** While it connects: where to, and who is waiting. */
  #connectingTo: Address = unknown;
  #reportConnect: ((error: Error | undefined) => void) | undefined;
  /** What has to wait; undefined until something had to. */
  #output: ChannelOutput | undefined;
  #hasFailed = false;
  #isEnding = false;
  #isShut = false;

  /**
   * @param socket    owned by the channel from now on.
   * @param settings  what it has.
   */
  constructor(context: ChannelContext, socket: KernelSocket, settings: SocketSettings) {
    super(context, socket);
    this.#settings = settings;
    try {
      context.poller.add(socket, watchedEvents, this);
    } catch (error) {
      if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'ENOMEM') throw error;
      this.#unwatched = error as NodeJS.ErrnoException; // fs.epoll.max_user_watches is reached
      context.poller.later(this);
    }
  }

  get waitingBytes(): number {
    return this.#output?.bytes ?? 0;
  }

  unacknowledged(): number | undefined {
    return this.isClosed ? 0 : this.socket.unacknowledged();
  }

  get #isWaiting(): boolean {
    return this.#output?.isEmpty === false;
  }

  local(): Address {
    return this.isClosed ? unknown : this.socket.localAddress();
  }

  remote(): Address {
    return this.isClosed ? unknown : this.socket.remoteAddress();
  }

  /** To be called right after `connect` of its socket: reports the outcome once it is known, unless it is closed before. */
  awaitConnect(to: Address, report: (error: Error | undefined) => void): void {
    this.#connectingTo = to;
    this.#reportConnect = report;
  }

  open(reader: Reader, owner: ChannelOwner, settings: SocketSettings): void {
    this.reader = reader;
    this.#owner = owner;
    this.#apply(settings);
  }

  resume(): void {
    if (this.isReading || this.hasPeerEnded || this.isClosed) return;
    this.isReading = true;
    if (this.isReadable) this.read();
  }

  write(part: Uint8Array): boolean {
    if (this.isClosed) return false;
    if (this.#isWaiting) {
      this.#waiting().add(part);
      return false;
    }
    const count = this.socket.send(part);
    if (count === part.length) return true;
    if (count < 0 && count !== -EAGAIN) this.fail('write', count);
    else this.#waiting().add(part.subarray(Math.max(0, count)));
    return false;
  }

  override writeFrom(lent: LentPipe): boolean {
    if (this.isClosed) return false;
    const status = this.#isWaiting ? -EAGAIN : sendFromPipe(this.socket, lent);
    if (status === 0) return true;
    if (status === -EAGAIN) this.#waiting().addPipe(lent);
    else this.fail('write', status);
    return false;
  }

  probe(): void {
    if (!this.isReading || this.hasPeerEnded) this.#noticeError();
  }

  stream(settings: SocketSettings): Socket {
    this.#apply(settings);
    return streamOf(this.handOver());
  }

  handOver(): number {
    if (this.#unwatched === undefined) this.context.poller.remove(this.socket);
    this.isClosed = true;
    return this.socket.release();
  }

  end(): void {
    if (this.#isEnding || this.isClosed) return;
    this.#isEnding = true;
    if (!this.#isWaiting) this.#shutDown();
  }

  close(): void {
    if (this.isClosed) return;
    this.#forget();
    this.socket.close();
    this.#reportClosed();
  }

  reset(): void {
    if (this.isClosed) return;
    this.#forget();
    this.socket.reset();
    this.#reportClosed();
  }

  onEvents(events: number): void {
    if ((events & (EPOLLIN | hangUps)) !== 0) this.isReadable = true;
    if ((events & hangUps) !== 0) this.isHangUp = true;
    if (this.#reportConnect !== undefined) {
      if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) !== 0) this.#reportConnected(this.socket.takeError());
      return;
    }
    if ((events & EPOLLOUT) !== 0 && this.#isWaiting) this.#flush();
    if (this.isReading && this.isReadable) this.read();
    else if ((events & EPOLLERR) !== 0) this.#noticeLateError();
  }

  override run(): void {
    if (this.#unwatched !== undefined) this.#failUnwatched(this.#unwatched.errno ?? 0);
    super.run();
  }

  protected override onPeerEnded(): void {
    if (this.#isShut) this.close();
  }

  /** @param number  0, or a negative error number. */
  #reportConnected(number: number): void {
    const [report, { address, port }] = [this.#reportConnect, this.#connectingTo];
    this.#reportConnect = undefined;
    this.context.poller.needsTick();
    report?.(number === 0 ? undefined : systemError('connect', number, { address, port }));
  }

  /** Once the peer has ended its side, no read notices any more that it is gone. */
  #noticeLateError(): void {
    if (this.hasPeerEnded) this.#noticeError();
  }

  /** Fails if the kernel has an error for the connection. */
  #noticeError(): void {
    if (this.isClosed || this.#hasFailed) return;
    const number = this.socket.takeError();
    if (number !== 0) this.fail('read', number);
  }

  #flush(): void {
    const status = this.#waiting().flush();
    if (status === -EAGAIN) return;
    if (status < 0) {
      this.fail('write', status);
      return;
    }
    if (this.#isEnding) this.#shutDown();
    if (!this.isClosed) this.#owner?.onDrained(this);
  }

  #waiting(): ChannelOutput {
    return (this.#output ??= new ChannelOutput(this.socket));
  }

  #apply(settings: SocketSettings): void {
    applySettings(this.socket, settings, this.#settings);
    this.#settings = settings;
  }

  /** Called only once everything is written. */
  #shutDown(): void {
    this.#isShut = true;
    if (this.hasPeerEnded)
      this.close(); // sends FIN, too
    else this.socket.shutdown(); // fails if it is no longer connected: its read reports that
  }

  protected override fail(call: string, number: number): void {
    if (this.#hasFailed || this.isClosed) return;
    this.#hasFailed = true;
    this.isReading = false;
    this.context.poller.needsTick();
    this.#owner?.onFailed(this, systemError(call, number));
  }

  #failUnwatched(number: number): void {
    if (this.#reportConnect === undefined) this.fail('epoll_ctl', number);
    else this.#reportConnected(number);
  }

  /** What is not sent is discarded with the socket. */
  #forget(): void {
    this.isClosed = true;
    this.isReading = false;
    this.#reportConnect = undefined;
    if (this.#unwatched === undefined) this.context.poller.forget(this.socket);
    this.giveBackPipe();
    this.#output?.discard();
  }

  #reportClosed(): void {
    this.context.poller.needsTick();
    this.#owner?.onClosed(this);
  }
}
