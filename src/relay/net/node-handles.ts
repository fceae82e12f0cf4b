import { Socket, type Server } from 'node:net';

// The only file that uses private names of Node's TCP handles, on which `net.Socket` is built. Tested on Node 26. If a
// name is missing or the major version differs, the relay uses `net.Socket`, which costs twice the CPU and more than
// twice the memory of an idle connection.

/** The major version of Node.js that the private names were tested on. */
export const triedMajor = '26';

/** Receives the events of a handle. */
export type HandleOwner = {
  /**
   * @param count  bytes read, `endOfFile`, or a negative error number.
   * @returns the buffer for the next read; undefined = the same one.
   */
  readonly onRead: (count: number) => Uint8Array | undefined;
  /** A write that had to wait is done. @param status  0, or a negative error number. */
  readonly onWritten: (status: number) => void;
  readonly onShutdown: () => void;
};

/** A TCP connection as Node has it from libuv. Each function returns 0 or a negative error number. */
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

/** The count of a read once the peer has ended. Source: libuv, UV_EOF. */
export const endOfFile = -4095;

/** The status of a write that has to wait: `onWritten` follows. */
export const isWaiting = 1;

/** TCP on handles. */
export type Handles = {
  /** Passes each client of the listening `server` to `onClient`; the server itself sees none. */
  readonly accept: (server: Server, onClient: (client: TcpHandle) => void) => void;
  readonly newHandle: () => TcpHandle;
  /** @param onConnected  called later, unless an error number is returned. */
  readonly connect: (
    handle: TcpHandle,
    to: Required<HandleAddress>,
    onConnected: (status: number) => void,
  ) => number;
  /** Sends events to `owner` from now on; the first read fills `buffer`. */
  readonly open: (handle: TcpHandle, owner: HandleOwner, buffer: Uint8Array) => void;
  /** @returns 0 if everything is written, `isWaiting`, or a negative error number. */
  readonly write: (handle: TcpHandle, part: Uint8Array) => number;
  /** @returns 0 if `onShutdown` follows. */
  readonly shutdown: (handle: TcpHandle) => number;
};

/** A paused stream on `handle`, which nothing else may use. */
export function socketOf(handle: TcpHandle): Socket {
  const options = { handle, allowHalfOpen: true, pauseOnCreate: true };
  return new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
}

/** The handles of this Node.js; undefined if it does not have them in the form used here. */
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
    return undefined; // not allowed, for example under the permission model
  }
}

function hasEveryName(
  tcp: Partial<TcpBinding> | undefined,
  stream: Partial<StreamBinding> | undefined,
): boolean {
  if (typeof tcp?.TCP !== 'function' || typeof tcp.TCPConnectWrap !== 'function') return false;
  if (typeof stream?.ShutdownWrap !== 'function' || !(stream.streamBaseState instanceof Int32Array))
    return false;
  const indexes = [tcp.constants?.SOCKET, stream.kReadBytesOrError, stream.kLastWriteErr];
  const methods =
    'useUserBuffer readStart readStop setNoDelay setKeepAlive getpeername getsockname bind bind6 close reset writeBuffer shutdown connect connect6';
  const prototype = tcp.TCP.prototype as Readonly<Record<string, unknown>>;
  return (
    indexes.every((index) => typeof index === 'number') &&
    methods.split(' ').every((name) => typeof Reflect.get(prototype, name) === 'function')
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
      const { onconnection: passToServer } = listening;
      listening.onconnection = (status, client) => {
        if (status === 0) onClient(client);
        else passToServer.call(listening, status, client); // emits 'error'
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
      if (typeof request.writeStatus === 'number') return request.writeStatus; // already done
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
