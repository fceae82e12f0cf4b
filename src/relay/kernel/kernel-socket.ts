import { constants } from './constants.ts';
import { Descriptor } from './descriptor.ts';
import { checked, KernelMisuseError, type Where } from './errno.ts';
import { Landing, landingBytes } from './landing.ts';
import { library } from './library.ts';
import { PinnedMemory } from './pinned-memory.ts';
import { familyOf, SocketAddressMemory } from './socket-address.ts';
import type { Pipe } from './pipe.ts';
import { layouts } from './structs.ts';

const {
  SOCK_STREAM,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_CLOEXEC,
  SHUT_WR,
  EINPROGRESS,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
} = constants;
const openFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
const spliceFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

/** What a socket is for. */
export type SocketKind = {
  readonly type: 'stream' | 'datagram';
  /** 0 by default; IPPROTO_MPTCP for Multipath TCP. */
  readonly protocol?: number;
};

/** Source: net/if.h, IF_NAMESIZE. */
const maxTextBytes = 16;
/**
 * Where tcp_info has the number of clients that a listening socket has not accepted; of a connection, the packets that its peer
 * has not acknowledged. Source: linux/tcp.h, tcpi_unacked.
 */
const unackedOffset = 24;
/** What tcp_info begins with after a reset. Source: net/tcp_states.h, TCP_CLOSE. */
const stateClosed = 7;
/** Where it has the bytes that the kernel has not sent yet. Source: linux/tcp.h, tcpi_notsent_bytes, since Linux 4.6. */
const notSentOffset = 144;
/** Where the memory figures of a socket have its drops. Source: linux/sock_diag.h, SK_MEMINFO_DROPS. */
const droppedOffset = 8 * 4;

// Memory that calls of all sockets share, since each is done with it when it returns.
const addressMemory = new SocketAddressMemory();
const option = new PinnedMemory(notSentOffset + 4);
const optionLength = new PinnedMemory(4);
const landing = new Landing();

/**
 * A socket that does not block. Methods that carry data return a count or a negative error number, for example
 * -EAGAIN; those that set up the socket throw a system error.
 */
export class KernelSocket extends Descriptor {
  /** Opens a socket of the family of `address`. @throws the system's error, e.g. EMFILE. */
  static open(address: string, { type, protocol = 0 }: SocketKind): KernelSocket {
    const { socket, errno } = library();
    const fd = socket(familyOf(address), kindOf(type), protocol);
    return new KernelSocket(checked('socket', fd < 0 ? errno() : fd));
  }

  /** Another descriptor of the socket `fd`, which stays as it is. @throws the system's error, e.g. EMFILE. */
  static duplicate(fd: number): KernelSocket {
    const { fcntl, errno } = library();
    const copy = fcntl(fd, constants.F_DUPFD_CLOEXEC, 0);
    return new KernelSocket(checked('fcntl', copy < 0 ? errno() : copy));
  }

  /** Closes, with a reset if they are sockets, the descriptors that a thread recorded in `memory` before it ended. */
  static closeRecorded(memory: Uint8Array): void {
    for (let fd = memory.indexOf(1); fd !== -1; fd = memory.indexOf(1, fd + 1)) {
      memory[fd] = 0;
      new KernelSocket(fd).reset(); // of a pipe only the close has an effect
    }
  }

  /** Where the socket `fd` of another thread is bound; '' and 0 if nowhere, or if it is no socket any more. */
  static boundAt(fd: number): Where {
    addressMemory.reset();
    library().getsockname(fd, addressMemory.memory, addressMemory.length);
    return addressMemory.get();
  }

  /** The `count` bytes that the last `land` has read. They change with the next one. */
  static landed(count: number): Uint8Array {
    return landing.landed(count);
  }

  /** Two sockets of this process that are connected to each other. @throws the system's error. */
  static pair(type: SocketKind['type'] = 'stream'): readonly [KernelSocket, KernelSocket] {
    const { socketpair, errno } = library();
    const kind = kindOf(type);
    checked('socketpair', socketpair(constants.AF_UNIX, kind, 0, option) < 0 ? errno() : 0);
    return [new KernelSocket(option.view.getInt32(0, true)), new KernelSocket(option.view.getInt32(4, true))];
  }

  /** @throws the system's error, e.g. EADDRINUSE. */
  bind(where: Where): void {
    const { bind, errno } = library();
    const length = addressMemory.set(where);
    checked('bind', bind(this.fd, addressMemory.memory, length) < 0 ? errno() : 0, where);
  }

  /** @throws the system's error, e.g. EADDRINUSE. */
  listen(backlog: number): void {
    const { listen, errno } = library();
    checked('listen', listen(this.fd, backlog) < 0 ? errno() : 0, this.localAddress());
  }

  /** @returns a client and its address, or a negative error number. */
  accept(): { readonly socket: KernelSocket; readonly remote: Where } | number {
    const { accept4, errno } = library();
    addressMemory.reset();
    const fd = accept4(this.fd, addressMemory.memory, addressMemory.length, openFlags);
    return fd < 0 ? errno() : { socket: new KernelSocket(fd), remote: addressMemory.get() };
  }

  /** Starts to connect. @returns 0 if that is under way or done, else a negative error number. */
  connect(where: Where): number {
    const { connect, errno } = library();
    const length = addressMemory.set(where);
    if (connect(this.fd, addressMemory.memory, length) === 0) return 0;
    const number = errno();
    return number === -EINPROGRESS ? 0 : number;
  }

  /** Reads into `into`. @returns the count, 0 at the end of the stream, or a negative error number. */
  receive(into: Uint8Array): number {
    const { read, errno } = library();
    const count = read(this.fd, landing.memoryOf(into), into.byteLength);
    return count < 0 ? errno() : count;
  }

  /** Like `receive`, into memory that all sockets share; `KernelSocket.landed` returns what was read. */
  land(maxBytes: number): number {
    const { read, errno } = library();
    const count = read(this.fd, landing.memory, Math.min(maxBytes, landingBytes));
    return count < 0 ? errno() : count;
  }

  /**
   * Node.js ignores SIGPIPE, so a connection that is gone is an error number here, too.
   *
   * @returns how many of the bytes of `part` the kernel has accepted, or a negative error number.
   */
  send(part: Uint8Array): number {
    const { write, errno } = library();
    const count = write(this.fd, landing.memoryOf(part), part.byteLength);
    return count < 0 ? errno() : count;
  }

  /** Moves what was received into an empty pipe. @returns the count, 0 at the end, or a negative error number. */
  spliceTo(pipe: Pipe): number {
    const { splice, errno } = library();
    if (pipe.held > 0) throw new KernelMisuseError('the pipe is not empty');
    const count = splice(this.fd, pipe.writeEnd.fd, pipe.capacity, spliceFlags);
    if (count < 0) return errno();
    pipe.held = count;
    return count;
  }

  /** Sends what a pipe holds. @returns the count, or a negative error number. */
  spliceFrom(pipe: Pipe): number {
    const { splice, errno } = library();
    if (pipe.held === 0) throw new KernelMisuseError('the pipe is empty');
    const count = splice(pipe.readEnd.fd, this.fd, pipe.held, spliceFlags);
    if (count < 0) return errno();
    pipe.held -= count;
    return count;
  }

  /** Sends FIN after everything that was sent. @returns 0, or a negative error number. */
  shutdown(): number {
    const { shutdown, errno } = library();
    return shutdown(this.fd, SHUT_WR) < 0 ? errno() : 0;
  }

  /** Closes it with a reset, which discards what was sent and not delivered yet. */
  reset(): void {
    const { setsockopt } = library();
    const { size, offsets } = layouts.linger;
    option.view.setInt32(offsets.l_onoff, 1, true);
    option.view.setInt32(offsets.l_linger, 0, true);
    setsockopt(this.fd, constants.SOL_SOCKET, constants.SO_LINGER, option, size);
    this.close();
  }

  /** Sets an option whose value is an int. @returns 0, or a negative error number. */
  setOption(level: number, name: number, value: number): number {
    const { setsockopt, errno } = library();
    option.view.setInt32(0, value, true);
    return setsockopt(this.fd, level, name, option, 4) < 0 ? errno() : 0;
  }

  /** Sets an option whose value is text of at most 15 characters. @returns 0, or a negative error number. */
  setTextOption(level: number, name: number, value: string): number {
    const { setsockopt, errno } = library();
    const bytes = Buffer.from(`${value}\0`, 'latin1');
    if (bytes.length > maxTextBytes) throw new KernelMisuseError(`"${value}" is too long for an option`);
    option.bytes.set(bytes);
    return setsockopt(this.fd, level, name, option, bytes.length) < 0 ? errno() : 0;
  }

  /** Sets an option whose value is a struct. @returns 0, or a negative error number. */
  setStructOption(level: number, name: number, struct: PinnedMemory): number {
    const { setsockopt, errno } = library();
    return setsockopt(this.fd, level, name, struct, struct.bytes.length) < 0 ? errno() : 0;
  }

  /** The value of an option that is an int. @throws the system's error. */
  option(level: number, name: number): number {
    this.#readOption(level, name, 4);
    return option.view.getInt32(0, true);
  }

  /** How many clients of a listening socket wait to be accepted. @throws the system's error. */
  waitingClients(): number {
    this.#readOption(constants.IPPROTO_TCP, constants.TCP_INFO, unackedOffset + 4);
    return option.view.getUint32(unackedOffset, true);
  }

  /**
   * The bytes that the kernel has not sent yet, and the packets that the peer has not acknowledged; 0 if the peer has everything,
   * or the connection is over. Undefined if the kernel does not say, as of Multipath TCP that has lost its first path.
   */
  unacknowledged(): number | undefined {
    try {
      this.#readOption(constants.IPPROTO_TCP, constants.TCP_INFO, notSentOffset + 4);
    } catch {
      return undefined;
    }
    if (option.view.getUint8(0) === stateClosed) return 0; // the kernel leaves the counts as they were
    return option.view.getUint32(notSentOffset, true) + option.view.getUint32(unackedOffset, true);
  }

  /** Datagrams that the kernel has dropped since their reader was too slow. @throws the system's error. */
  droppedDatagrams(): number {
    this.#readOption(constants.SOL_SOCKET, constants.SO_MEMINFO, droppedOffset + 4);
    return option.view.getUint32(droppedOffset, true);
  }

  /** The error that the kernel has for the connection, negative, which this call clears; 0 if there is none. */
  takeError(): number {
    return -this.option(constants.SOL_SOCKET, constants.SO_ERROR);
  }

  /** '' and 0 if it has none. */
  localAddress(): Where {
    const { getsockname } = library();
    addressMemory.reset();
    getsockname(this.fd, addressMemory.memory, addressMemory.length);
    return addressMemory.get();
  }

  /** '' and 0 if it is not connected. */
  remoteAddress(): Where {
    const { getpeername } = library();
    addressMemory.reset();
    getpeername(this.fd, addressMemory.memory, addressMemory.length);
    return addressMemory.get();
  }

  #readOption(level: number, name: number, bytes: number): void {
    const { getsockopt, errno } = library();
    optionLength.view.setUint32(0, bytes, true);
    checked('getsockopt', getsockopt(this.fd, level, name, option, optionLength) < 0 ? errno() : 0);
  }
}

function kindOf(type: SocketKind['type']): number {
  return (type === 'stream' ? SOCK_STREAM : SOCK_DGRAM) | openFlags;
}
