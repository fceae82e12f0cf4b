// Node.js compiles a call whose arguments are all pointers, however many: 50 ns, and no garbage. One with an integer or a buffer
// goes through JavaScript that checks and converts each argument: 200 ns with three arguments, 500 with more. So integers are
// declared as pointers, too: both are passed in the same registers, and a function that has an int reads the lower half of
// its register. Source: System V ABI for AMD64, 3.2.3; Procedure Call Standard for the Arm 64-bit Architecture, 6.8.2.
const [int, uint, size, memory] = ['pointer', 'pointer', 'pointer', 'pointer'] as const;
// Counts are ssize_t; the lower half suffices for lengths below 2 GiB, and i32 saves a BigInt for each.
const count = 'i32';

/** The functions of libc and libuv that the relay calls, as they are declared to `node:ffi`. */
export const signatures = {
  __errno_location: { return: 'pointer', arguments: [] },
  malloc: { return: 'pointer', arguments: [size] },
  free: { return: 'void', arguments: ['pointer'] },
  epoll_create1: { return: 'i32', arguments: ['i32'] }, // a single integer is compiled, too
  epoll_ctl: { return: 'i32', arguments: [int, int, int, memory] },
  epoll_wait: { return: 'i32', arguments: [int, memory, int, int] },
  socket: { return: 'i32', arguments: [int, int, int] },
  socketpair: { return: 'i32', arguments: [int, int, int, memory] },
  bind: { return: 'i32', arguments: [int, memory, uint] },
  listen: { return: 'i32', arguments: [int, int] },
  accept4: { return: 'i32', arguments: [int, memory, memory, int] },
  connect: { return: 'i32', arguments: [int, memory, uint] },
  getsockname: { return: 'i32', arguments: [int, memory, memory] },
  getpeername: { return: 'i32', arguments: [int, memory, memory] },
  getsockopt: { return: 'i32', arguments: [int, int, int, memory, memory] },
  setsockopt: { return: 'i32', arguments: [int, int, int, memory, uint] },
  shutdown: { return: 'i32', arguments: [int, int] },
  close: { return: 'i32', arguments: ['i32'] },
  read: { return: count, arguments: [int, memory, size] },
  write: { return: count, arguments: [int, memory, size] },
  sendmsg: { return: count, arguments: [int, memory, int] },
  recvmmsg: { return: 'i32', arguments: [int, memory, uint, int, memory] },
  sendmmsg: { return: 'i32', arguments: [int, memory, uint, int] },
  pipe2: { return: 'i32', arguments: [memory, int] },
  fcntl: { return: 'i32', arguments: [int, int, int] },
  splice: { return: count, arguments: [int, memory, int, memory, size, uint] },
  prlimit: { return: 'i32', arguments: [int, int, memory, memory] },
  inet_pton: { return: 'i32', arguments: ['i32', 'string', 'buffer'] },
  inet_ntop: { return: 'pointer', arguments: ['i32', 'buffer', 'buffer', 'u32'] },
  if_nametoindex: { return: 'u32', arguments: ['string'] },
  if_indextoname: { return: 'pointer', arguments: ['u32', 'buffer'] },
  uv_handle_size: { return: 'u64', arguments: ['i32'] },
  uv_poll_init: { return: 'i32', arguments: ['pointer', 'pointer', 'i32'] },
  uv_poll_start: { return: 'i32', arguments: ['pointer', 'i32', 'pointer'] },
  uv_close: { return: 'void', arguments: ['pointer', 'pointer'] },
  uv_ref: { return: 'void', arguments: ['pointer'] },
  uv_unref: { return: 'void', arguments: ['pointer'] },
} as const;

type Signatures = typeof signatures;

/** What JavaScript passes for an argument, and receives as a result, of each declared type. */
type Passed = {
  readonly pointer: bigint;
  readonly u64: bigint;
  readonly i32: number;
  readonly u32: number;
  readonly string: string;
  readonly buffer: Uint8Array;
  readonly void: undefined;
};

type Arguments<Types extends readonly (keyof Passed)[]> = { [At in keyof Types]: Passed[Types[At]] };

/** The functions as `node:ffi` makes them of `signatures`. */
export type DeclaredFunctions = {
  readonly [Name in keyof Signatures]: (
    ...args: Arguments<Signatures[Name]['arguments']>
  ) => Passed[Signatures[Name]['return']];
};
