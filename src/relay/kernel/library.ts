/**
 * The kernel room: system calls from TypeScript, by `node:ffi`. Only this room touches raw memory.
 *
 * Vocabulary. The *library* is what of libc and libuv is called. A *descriptor* is an open file of the kernel, owned by
 * one object; a `KernelSocket` and the ends of a `Pipe` are descriptors. The *poller* watches descriptors and calls their
 * *watchers*. A call returns a count or a negative error number, as libuv does.
 *
 * Guarantee: no pointer leaves the room. Every call takes memory that a living object holds; a descriptor that is closed, or
 * a length that its memory does not have, throws before anything is called.
 */
import { uvHandleFlags } from './constants.ts';
import { KernelUnavailableError } from './errno.ts';
import { loadFfi, type FfiModule } from './ffi.ts';
import { signatures, type DeclaredFunctions } from './signatures.ts';
import { isKnownArchitecture } from './structs.ts';
import { asError } from '../../lib/errors.ts';

/** Memory that stays where it is for as long as this object lives. */
type Memory = { readonly pointer: Pointer };
type Pointer = bigint;

const nothing = 0n;
/** Options, flags and most descriptors are small: their BigInts are made once. */
const small = Array.from({ length: 1024 }, (_, number) => BigInt(number));
const big = (number: number): bigint => small[number] ?? BigInt(number);

/** The functions as this room calls them: with numbers, and with the memory that they read or write. */
function callable(call: DeclaredFunctions) {
  return {
    ...call,
    malloc: (bytes: number) => call.malloc(big(bytes)),
    epoll_ctl: (epoll: number, operation: number, fd: number, event: Memory) =>
      call.epoll_ctl(big(epoll), big(operation), big(fd), event.pointer),
    epoll_wait: (epoll: number, events: Memory, max: number, timeoutMs: number) =>
      call.epoll_wait(big(epoll), events.pointer, big(max), big(timeoutMs)),
    socket: (family: number, type: number, protocol: number) =>
      call.socket(big(family), big(type), big(protocol)),
    socketpair: (family: number, type: number, protocol: number, pair: Memory) =>
      call.socketpair(big(family), big(type), big(protocol), pair.pointer),
    bind: (fd: number, address: Memory, length: number) => call.bind(big(fd), address.pointer, big(length)),
    listen: (fd: number, backlog: number) => call.listen(big(fd), big(backlog)),
    accept4: (fd: number, address: Memory, length: Memory, flags: number) =>
      call.accept4(big(fd), address.pointer, length.pointer, big(flags)),
    connect: (fd: number, address: Memory, length: number) =>
      call.connect(big(fd), address.pointer, big(length)),
    getsockname: (fd: number, address: Memory, length: Memory) =>
      call.getsockname(big(fd), address.pointer, length.pointer),
    getpeername: (fd: number, address: Memory, length: Memory) =>
      call.getpeername(big(fd), address.pointer, length.pointer),
    getsockopt: (...of: [fd: number, level: number, name: number, value: Memory, length: Memory]) =>
      call.getsockopt(big(of[0]), big(of[1]), big(of[2]), of[3].pointer, of[4].pointer),
    setsockopt: (...of: [fd: number, level: number, name: number, value: Memory, length: number]) =>
      call.setsockopt(big(of[0]), big(of[1]), big(of[2]), of[3].pointer, big(of[4])),
    shutdown: (fd: number, how: number) => call.shutdown(big(fd), big(how)),
    read: (fd: number, into: Memory, length: number) => call.read(big(fd), into.pointer, big(length)),
    write: (fd: number, from: Memory, length: number) => call.write(big(fd), from.pointer, big(length)),
    sendmsg: (fd: number, message: Memory, flags: number) =>
      call.sendmsg(big(fd), message.pointer, big(flags)),
    recvmmsg: (fd: number, messages: Memory, count: number, flags: number) =>
      call.recvmmsg(big(fd), messages.pointer, big(count), big(flags), nothing),
    sendmmsg: (fd: number, messages: Memory, count: number, flags: number) =>
      call.sendmmsg(big(fd), messages.pointer, big(count), big(flags)),
    pipe2: (pair: Memory, flags: number) => call.pipe2(pair.pointer, big(flags)),
    fcntl: (fd: number, command: number, argument: number) =>
      call.fcntl(big(fd), big(command), big(argument)),
    splice: (from: number, to: number, length: number, flags: number) =>
      call.splice(big(from), nothing, big(to), nothing, big(length), big(flags)),
    prlimit: (process: number, resource: number, limits: Memory) =>
      call.prlimit(big(process), big(resource), limits.pointer, nothing),
    uv_handle_size: (type: number) => Number(call.uv_handle_size(type)),
  };
}

/** libc and libuv, for the files of this room. */
export type Library = ReturnType<typeof callable> & {
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
    ...callable(functions as unknown as DeclaredFunctions),
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
