import { Socket, type Server } from 'node:net';

// The only file that knows private names of Node: its TCP handles, which `net.Socket` is made of. Tried on
// Node 26. Where a name is missing or the major version is another one, there are no handles, and the relay
// uses `net.Socket`, which costs twice the CPU and more than twice the memory of an idle connection.

/** The major version of Node whose handles are as they are used here. */
export const triedMajor = '26';

/** What is told of a handle. */
export type HandleOwner = {
  /** @param count  bytes read, or `endOfFile`, or an error's number. @returns the buffer for the next read, or undefined: the same. */
  readonly onRead: (count: number) => Uint8Array | undefined;
  /** A write that waited is done. @param status  0, or an error's number, negative. */
  readonly onWritten: (status: number) => void;
  readonly onShutdown: () => void;
};

/** A TCP connection as Node has it from libuv. Each function returns 0 or an error's number, negative. */
export type TcpHandle = {
  owner?: HandleOwner;
  onread: (this: TcpHandle) => Uint8Array | undefined;
  useUserBuffer: (buffer: Uint8Array) => number;
  readStart: () => number;
  readStop: () => number;
  setNoDelay: (on: boolean) => number;
  setKeepAlive: (on: boolean, idleSeconds: number, intervalSeconds: number, probes: number) => number;
  getpeername: (out: HandleAddress) => number;
  getsockname: (out: HandleAddress) => number;
  bind: (address: string, port: number) => number;
  bind6: (address: string, port: number, flags: number) => number;
  close: () => void;
  reset: () => number;
  writeBuffer: (request: null, part: Uint8Array) => number | WriteRequest;
  shutdown: (request: Request) => number;
  connect: (request: ConnectRequest, address: string, port: number) => number;
  connect6: (request: ConnectRequest, address: string, port: number) => number;
};

type HandleAddress = { address?: string; port?: number };
type Request = { handle?: TcpHandle; oncomplete?: (this: Request, status: number) => void };
type ConnectRequest = { oncomplete?: (status: number) => void };
type WriteRequest = Request & { buffer?: Uint8Array; writeStatus?: number | null };
type ListenHandle = { onconnection: (status: number, client: TcpHandle) => void };

type TcpBinding = {
  readonly TCP: new (type: number) => TcpHandle;
  readonly TCPConnectWrap: new () => ConnectRequest;
  readonly constants: { readonly SOCKET: number };
};
type StreamBinding = {
  readonly ShutdownWrap: new () => Request;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteErr: number;
};

/** What a read tells when the peer has ended. Source: libuv, UV_EOF. */
export const endOfFile = -4095;

/** What a write tells that waits: `onWritten` follows. */
export const isWaiting = 1;

/** TCP by handles. */
export type Handles = {
  /** Tells `onClient` of each client of `server`, which listens, and the server of none. */
  readonly accept: (server: Server, onClient: (client: TcpHandle) => void) => void;
  readonly newHandle: () => TcpHandle;
  /** @param onConnected  told later, unless an error is returned. */
  readonly connect: (
    handle: TcpHandle,
    to: Required<HandleAddress>,
    onConnected: (status: number) => void,
  ) => number;
  /** Tells `owner` from now on; the first read lands in `buffer`. */
  readonly open: (handle: TcpHandle, owner: HandleOwner, buffer: Uint8Array) => void;
  /** @returns 0 where all is written, `isWaiting`, or an error's number, negative. */
  readonly write: (handle: TcpHandle, part: Uint8Array) => number;
  /** @returns 0 where `onShutdown` follows. */
  readonly shutdown: (handle: TcpHandle) => number;
};

/** A stream on `handle`, which nobody else uses, paused. */
export function socketOf(handle: TcpHandle): Socket {
  const options = { handle, allowHalfOpen: true, pauseOnCreate: true };
  return new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
}

/** The handles of this Node, or undefined where it does not have them as they are known. */
export function findHandles(
  version = process.versions.node,
  bindings: Bindings | undefined = privateBindings(),
): Handles | undefined {
  if (bindings === undefined || version.split('.')[0] !== triedMajor) return undefined;
  const { tcp, stream } = bindings;
  return hasEveryName(tcp, stream) ? handles(tcp, stream) : undefined;
}

type Bindings = { readonly tcp: TcpBinding; readonly stream: StreamBinding };

function privateBindings(): Bindings | undefined {
  const { binding } = process as unknown as { binding?: (name: string) => unknown };
  try {
    return { tcp: binding?.('tcp_wrap') as TcpBinding, stream: binding?.('stream_wrap') as StreamBinding };
  } catch {
    return undefined; // not allowed, e.g. under the permission model
  }
}

function hasEveryName(
  tcp: Partial<TcpBinding> | undefined,
  stream: Partial<StreamBinding> | undefined,
): boolean {
  if (typeof tcp?.TCP !== 'function' || typeof tcp.TCPConnectWrap !== 'function') return false;
  if (typeof stream?.ShutdownWrap !== 'function' || !(stream.streamBaseState instanceof Int32Array))
    return false;
  const places = [tcp.constants?.SOCKET, stream.kReadBytesOrError, stream.kLastWriteErr];
  const methods =
    'useUserBuffer readStart readStop setNoDelay setKeepAlive getpeername getsockname bind bind6 close reset writeBuffer shutdown connect connect6';
  const prototype = tcp.TCP.prototype as Readonly<Record<string, unknown>>;
  return (
    places.every((place) => typeof place === 'number') &&
    methods.split(' ').every((name) => typeof prototype[name] === 'function')
  );
}

function handles({ TCP, TCPConnectWrap, constants }: TcpBinding, stream: StreamBinding): Handles {
  const { ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteErr } = stream;
  function onRead(this: TcpHandle): Uint8Array | undefined {
    return this.owner?.onRead(streamBaseState[kReadBytesOrError] ?? 0);
  }
  function onWritten(this: Request, status: number): void {
    this.handle?.owner?.onWritten(status);
  }
  function onShutdown(this: Request): void {
    this.handle?.owner?.onShutdown();
  }
  return {
    accept: (server, onClient) => {
      const { _handle: listening } = server as unknown as { _handle: ListenHandle };
      const { onconnection: toServer } = listening;
      listening.onconnection = (status, client) => {
        if (status === 0) onClient(client);
        else toServer.call(listening, status, client); // emits 'error'
      };
    },
    newHandle: () => new TCP(constants.SOCKET),
    connect: (handle, { address, port }, onConnected) => {
      const request = new TCPConnectWrap();
      request.oncomplete = onConnected;
      return address.includes(':')
        ? handle.connect6(request, address, port)
        : handle.connect(request, address, port);
    },
    open: (handle, owner, buffer) => {
      handle.owner = owner;
      handle.onread = onRead;
      handle.useUserBuffer(buffer);
    },
    write: (handle, part) => {
      const request = handle.writeBuffer(null, part);
      if (typeof request === 'number') return request;
      const error = streamBaseState[kLastWriteErr] ?? 0;
      if (error !== 0) return error;
      if (typeof request.writeStatus === 'number') return request.writeStatus; // done before it could be told
      Object.assign(request, { handle, buffer: part, oncomplete: onWritten });
      return isWaiting;
    },
    shutdown: (handle) => {
      const request = new ShutdownWrap();
      request.handle = handle;
      request.oncomplete = onShutdown;
      return handle.shutdown(request);
    },
  };
}
