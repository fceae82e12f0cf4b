/**
 * The kernel room: system calls from TypeScript, by `node:ffi`. Only this room touches raw memory.
 *
 * Vocabulary. The *library* is what of libc and libuv is called. A *descriptor* is an open file of the kernel, owned by
 * one object; a `KernelSocket` and the ends of a `Pipe` are descriptors. The *poller* watches descriptors and calls their
 * *watchers*. A call returns a count or a negative error number, as libuv does.
 *
 * Guarantee: no pointer leaves the room. Every call takes views of memory that a living object holds, and their own
 * length; a descriptor that is closed, or a length that a view does not have, throws before anything is called.
 */
import { uvHandleFlags } from './constants.ts';
import { KernelUnavailableError } from './errno.ts';
import { loadFfi, type FfiModule } from './ffi.ts';
import { isKnownArchitecture } from './structs.ts';
import { asError } from '../../lib/errors.ts';

// Lengths are size_t. A u32 in its place is right where the upper half of a register is cleared, as on x64; elsewhere
// the full width is declared, which costs a BigInt.
const size = process.arch === 'x64' ? 'u32' : 'u64';

// Counts are ssize_t; the lower half suffices for lengths below 2 GiB, and i32 saves a BigInt for each.
const signatures = {
  __errno_location: { return: 'pointer', arguments: [] },
  malloc: { return: 'pointer', arguments: [size] },
  free: { return: 'void', arguments: ['pointer'] },
  epoll_create1: { return: 'i32', arguments: ['i32'] },
  epoll_ctl: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'buffer'] },
  epoll_wait: { return: 'i32', arguments: ['i32', 'buffer', 'i32', 'i32'] },
  socket: { return: 'i32', arguments: ['i32', 'i32', 'i32'] },
  socketpair: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'buffer'] },
  bind: { return: 'i32', arguments: ['i32', 'buffer', 'u32'] },
  listen: { return: 'i32', arguments: ['i32', 'i32'] },
  accept4: { return: 'i32', arguments: ['i32', 'buffer', 'buffer', 'i32'] },
  connect: { return: 'i32', arguments: ['i32', 'buffer', 'u32'] },
  getsockname: { return: 'i32', arguments: ['i32', 'buffer', 'buffer'] },
  getpeername: { return: 'i32', arguments: ['i32', 'buffer', 'buffer'] },
  getsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'buffer', 'buffer'] },
  setsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'buffer', 'u32'] },
  shutdown: { return: 'i32', arguments: ['i32', 'i32'] },
  close: { return: 'i32', arguments: ['i32'] },
  // Not recv and send, which have a fourth argument: Node.js compiles calls of at most three, and others cost 0.2 µs more.
  read: { return: 'i32', arguments: ['i32', 'buffer', size] },
  write: { return: 'i32', arguments: ['i32', 'buffer', size] },
  sendmsg: { return: 'i32', arguments: ['i32', 'buffer', 'i32'] },
  recvmmsg: { return: 'i32', arguments: ['i32', 'buffer', 'u32', 'i32', 'pointer'] },
  sendmmsg: { return: 'i32', arguments: ['i32', 'buffer', 'u32', 'i32'] },
  pipe2: { return: 'i32', arguments: ['buffer', 'i32'] },
  fcntl: { return: 'i32', arguments: ['i32', 'i32', 'i32'] },
  splice: { return: 'i32', arguments: ['i32', 'pointer', 'i32', 'pointer', size, 'u32'] },
  prlimit: { return: 'i32', arguments: ['i32', 'i32', 'buffer', 'pointer'] },
  inet_pton: { return: 'i32', arguments: ['i32', 'string', 'buffer'] },
  inet_ntop: { return: 'pointer', arguments: ['i32', 'buffer', 'buffer', 'u32'] },
  if_nametoindex: { return: 'u32', arguments: ['string'] },
  if_indextoname: { return: 'pointer', arguments: ['u32', 'buffer'] },
  uv_handle_size: { return: size, arguments: ['i32'] },
  uv_poll_init: { return: 'i32', arguments: ['pointer', 'pointer', 'i32'] },
  uv_poll_start: { return: 'i32', arguments: ['pointer', 'i32', 'pointer'] },
  uv_close: { return: 'void', arguments: ['pointer', 'pointer'] },
  uv_ref: { return: 'void', arguments: ['pointer'] },
  uv_unref: { return: 'void', arguments: ['pointer'] },
} as const;

type Size = number;
type Pointer = bigint;
type Bytes = Uint8Array;

/** The functions of libc and libuv, as they are called. Sizes are numbers here, whatever they are declared as. */
type Functions = {
  readonly malloc: (bytes: Size) => Pointer;
  readonly free: (pointer: Pointer) => void;
  readonly epoll_create1: (flags: number) => number;
  readonly epoll_ctl: (epoll: number, operation: number, fd: number, event: Bytes) => number;
  readonly epoll_wait: (epoll: number, events: Bytes, max: number, timeoutMs: number) => number;
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly socketpair: (family: number, type: number, protocol: number, pair: Bytes) => number;
  readonly bind: (fd: number, address: Bytes, length: number) => number;
  readonly listen: (fd: number, backlog: number) => number;
  readonly accept4: (fd: number, address: Bytes, length: Bytes, flags: number) => number;
  readonly connect: (fd: number, address: Bytes, length: number) => number;
  readonly getsockname: (fd: number, address: Bytes, length: Bytes) => number;
  readonly getpeername: (fd: number, address: Bytes, length: Bytes) => number;
  readonly getsockopt: (
    ...args: [fd: number, level: number, name: number, value: Bytes, length: Bytes]
  ) => number;
  readonly setsockopt: (
    ...args: [fd: number, level: number, name: number, value: Bytes, length: number]
  ) => number;
  readonly shutdown: (fd: number, how: number) => number;
  readonly close: (fd: number) => number;
  readonly read: (fd: number, into: Bytes, length: Size) => number;
  readonly write: (fd: number, from: Bytes, length: Size) => number;
  readonly sendmsg: (fd: number, message: Bytes, flags: number) => number;
  readonly recvmmsg: (
    ...args: [fd: number, messages: Bytes, count: number, flags: number, timeout: null]
  ) => number;
  readonly sendmmsg: (fd: number, messages: Bytes, count: number, flags: number) => number;
  readonly pipe2: (pair: Bytes, flags: number) => number;
  readonly fcntl: (fd: number, command: number, argument: number) => number;
  readonly splice: (
    ...args: [from: number, fromOffset: null, to: number, toOffset: null, length: Size, flags: number]
  ) => number;
  readonly prlimit: (process: number, resource: number, limits: Bytes, before: null) => number;
  readonly inet_pton: (family: number, text: string, into: Bytes) => number;
  readonly inet_ntop: (family: number, address: Bytes, into: Bytes, length: number) => Pointer;
  readonly if_nametoindex: (name: string) => number;
  readonly if_indextoname: (index: number, into: Bytes) => Pointer;
  readonly uv_handle_size: (type: number) => Size;
  readonly uv_poll_init: (loop: Pointer, handle: Pointer, fd: number) => number;
  readonly uv_poll_start: (handle: Pointer, events: number, callback: Pointer) => number;
  readonly uv_close: (handle: Pointer, callback: Pointer) => void;
  readonly uv_ref: (handle: Pointer) => void;
  readonly uv_unref: (handle: Pointer) => void;
};

/** libc and libuv, for the files of this room. */
export type Library = Functions & {
  /** The error number of the last call of this thread, negative. To be read right after the call. */
  readonly errno: () => number;
  /** The event loop of this thread. */
  readonly loop: () => Pointer;
  /** Where the memory of `view` is: valid as long as the caller keeps `view`. */
  readonly pointerTo: (view: Uint8Array) => Pointer;
  /** A C function that calls `callback`, which must not throw. */
  readonly newCallback: (callback: () => void) => Pointer;
  /** To be called when nothing calls the function any more, not from within it. */
  readonly endCallback: (pointer: Pointer) => void;
  /** A C function that libuv may call back, and that does nothing. */
  readonly noCallback: Pointer;
  /**
   * Lets the event loop of this thread end although `handle`, a poll handle that was started, is open: Node.js ends the
   * process otherwise if a worker thread ends by a failure, and so cannot close it.
   *
   * @throws KernelUnavailableError if the memory of a handle is not as it is known.
   */
  readonly keepOffLoopEnd: (handle: Pointer) => void;
};

let opened: Library | undefined;

/**
 * The library of this thread, opened once.
 *
 * @throws KernelUnavailableError with the reason if this process cannot have it.
 */
export function library(): Library {
  opened ??= open();
  return opened;
}

function open(): Library {
  if (process.platform !== 'linux') throw new KernelUnavailableError('the system is not Linux');
  if (!isKnownArchitecture(process.arch))
    throw new KernelUnavailableError(`the memory layouts of ${process.arch} are not known`);
  const ffi = loadFfi();
  if (ffi === undefined)
    throw new KernelUnavailableError(`Node.js ${process.versions.node} has no node:ffi, 26.10 has`);
  try {
    return bound(ffi);
  } catch (error) {
    throw new KernelUnavailableError(`node:ffi cannot be used: ${asError(error).message}`, { cause: error });
  }
}

/** @throws if a symbol is missing, or calls are not permitted. */
function bound(ffi: FfiModule): Library {
  const { lib, functions } = ffi.dlopen(null, signatures);
  const errno = new Int32Array(ffi.toArrayBuffer(functions.__errno_location(), 4, false));
  return {
    ...withSizes(functions as unknown as Functions),
    errno: () => -(errno[0] ?? 0),
    loop: () => ffi.getCurrentEventLoop(),
    pointerTo: (view) => ffi.getRawPointer(view),
    newCallback: (callback) =>
      lib.registerCallback({ return: 'void', arguments: ['pointer', 'i32', 'i32'] }, callback),
    endCallback: (pointer) => {
      lib.unregisterCallback(pointer);
    },
    noCallback: lib.getSymbol('uv_is_active'), // it only reads the handle, which is its first argument
    keepOffLoopEnd: (handle) => {
      const flags = ffi.getUint32(handle, uvHandleFlags.offset);
      if (flags !== uvHandleFlags.started)
        throw new KernelUnavailableError(`the flags of a poll handle of libuv are ${flags.toString(16)}`);
      ffi.setUint32(handle, uvHandleFlags.offset, flags | uvHandleFlags.internal);
    },
  };
}

/** Where sizes are declared as u64, they are converted. */
function withSizes(functions: Functions): Functions {
  if (size === 'u32') return functions;
  const { malloc, read, write, splice, uv_handle_size: handleSize } = functions;
  const wide = BigInt as unknown as (length: number) => number;
  const narrow = Number as (length: unknown) => number;
  return {
    ...functions,
    malloc: (bytes) => malloc(wide(bytes)),
    read: (fd, into, length) => read(fd, into, wide(length)),
    write: (fd, from, length) => write(fd, from, wide(length)),
    splice: (...args) => {
      const [from, fromOffset, to, toOffset, length, flags] = args;
      return splice(from, fromOffset, to, toOffset, wide(length), flags);
    },
    uv_handle_size: (type) => narrow(handleSize(type)),
  };
}
