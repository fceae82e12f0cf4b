import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import type {
  Accepted,
  Address,
  Channel,
  ChannelOwner,
  Keepalive,
  Reader,
  Target,
  TcpStack,
} from './channel.ts';
import { handleDuplicator } from './handle-duplicator.ts';
import {
  endOfFile,
  isWaiting,
  socketOf,
  type HandleOwner,
  type Handles,
  type TcpHandle,
} from './node-handles.ts';

/** TCP on Node's handles, without the cost of a stream for each connection. */
export function handleStack(handles: Handles): TcpStack {
  return {
    accept: (server, onAccepted) => {
      handles.accept(server, (client) => {
        onAccepted(new AcceptedHandle(handles, client));
      });
    },
    connect: (target, onConnected) => {
      const channel = new HandleChannel(handles, handles.newHandle());
      channel.connect(target, onConnected);
      return channel;
    },
    duplicator: handleDuplicator,
  };
}

class AcceptedHandle implements Accepted {
  readonly remote: Address;
  readonly #handles: Handles;
  readonly #handle: TcpHandle;

  constructor(handles: Handles, handle: TcpHandle) {
    this.#handles = handles;
    this.#handle = handle;
    this.remote = remoteOf(handle);
  }

  local(): Address {
    return localOf(this.#handle);
  }

  channel(): Channel {
    return new HandleChannel(this.#handles, this.#handle);
  }

  socket(): Socket {
    return socketOf(this.#handle);
  }

  keepAlive(keepalive: Keepalive): void {
    setKeepAlive(this.#handle, keepalive);
  }

  isGone(): boolean {
    return this.#handles.write(this.#handle, nothing) < 0;
  }

  reset(): void {
    if (this.#handle.reset() !== 0) this.#handle.close();
  }
}

/** Writing it sends nothing, and returns the error that the kernel has for the connection, if any. */
const nothing = Buffer.alloc(0);

function setKeepAlive(handle: TcpHandle, { tcpKeepaliveMs, tcpKeepaliveProbes }: Keepalive): void {
  const seconds = Math.floor(tcpKeepaliveMs / 1000);
  if (tcpKeepaliveMs > 0) handle.setKeepAlive(true, seconds, seconds, tcpKeepaliveProbes);
}

const unknownAddress: Address = { address: '', port: 0 };

function remoteOf(handle: TcpHandle): Address {
  const found = {};
  handle.getpeername(found);
  return { ...unknownAddress, ...found };
}

function localOf(handle: TcpHandle): Address {
  const found = {};
  handle.getsockname(found);
  return { ...unknownAddress, ...found };
}

class HandleChannel implements Channel, HandleOwner {
  readonly #handles: Handles;
  readonly #handle: TcpHandle;
  #reader: Reader | undefined;
  #owner: ChannelOwner | undefined;
  #buffer: Uint8Array | undefined;
  #writesWaiting = 0;
  #isReading = false;
  #hasPeerEnded = false;
  #isEnding = false;
  #isShut = false;
  #isClosed = false;

  constructor(handles: Handles, handle: TcpHandle) {
    this.#handles = handles;
    this.#handle = handle;
  }

  get isWaiting(): boolean {
    return this.#writesWaiting > 0;
  }

  local(): Address {
    return localOf(this.#handle);
  }

  remote(): Address {
    return remoteOf(this.#handle);
  }

  connect(target: Target, onConnected: (error: Error | undefined) => void): void {
    const report = (status: number): void => {
      if (!this.#isClosed) onConnected(status === 0 ? undefined : connectError(status, target));
    };
    const status = this.#bind(target) || this.#handles.connect(this.#handle, target, report);
    if (status !== 0) process.nextTick(report, status);
  }

  open(reader: Reader, owner: ChannelOwner, keepalive: Keepalive): void {
    this.#reader = reader;
    this.#owner = owner;
    this.#buffer = reader.nextBuffer();
    this.#handles.open(this.#handle, this, this.#buffer);
    this.#handle.setNoDelay(true);
    setKeepAlive(this.#handle, keepalive);
  }

  resume(): void {
    if (this.#isReading || this.#hasPeerEnded || this.#isClosed) return;
    this.#isReading = true;
    this.#check('read', this.#handle.readStart());
  }

  write(part: Uint8Array): boolean {
    if (this.#isClosed) return false;
    const status = this.#handles.write(this.#handle, part);
    if (status === isWaiting) this.#writesWaiting += 1;
    else this.#check('write', status);
    return status === 0;
  }

  probe(): void {
    const isWatched = (this.#isReading && !this.#hasPeerEnded) || this.#writesWaiting > 0;
    if (isWatched || this.#isEnding || this.#isClosed) return;
    this.#check('write', this.#handles.write(this.#handle, nothing));
  }

  end(): void {
    if (this.#isEnding || this.#isClosed) return;
    this.#isEnding = true;
    if (this.#writesWaiting === 0) this.#shutDown();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#handle.close();
    this.#reportClosed();
  }

  reset(): void {
    if (this.#isClosed) return;
    if (this.#handle.reset() !== 0) this.#handle.close(); // a shutdown is pending, so everything was written
    this.#reportClosed();
  }

  onRead(count: number): Uint8Array | undefined {
    const [reader, buffer] = [this.#reader, this.#buffer];
    if (count === 0 || this.#isClosed || reader === undefined || buffer === undefined) return undefined;
    if (count === endOfFile) this.#onPeerEnded(reader);
    else if (this.#check('read', Math.min(0, count))) {
      if (!reader.take(count, buffer)) this.#pause();
      this.#buffer = reader.nextBuffer();
    }
    return this.#buffer === buffer ? undefined : this.#buffer;
  }

  onWritten(status: number): void {
    this.#writesWaiting -= 1;
    if (this.#isClosed || !this.#check('write', status) || this.#writesWaiting > 0) return;
    if (this.#isEnding) this.#shutDown();
    this.#owner?.onDrained(this);
  }

  onShutdown(): void {
    this.#isShut = true;
    if (this.#hasPeerEnded) this.close();
  }

  #bind({ from }: Target): number {
    if (from === undefined) return 0;
    const { address, port } = from;
    return address.includes(':') ? this.#handle.bind6(address, port, 0) : this.#handle.bind(address, port);
  }

  #pause(): void {
    if (this.#isClosed) return;
    this.#isReading = false;
    this.#handle.readStop();
  }

  #onPeerEnded(reader: Reader): void {
    this.#hasPeerEnded = true;
    reader.end();
    if (this.#isShut) this.close();
  }

  /** Called only once everything is written: a connection whose shutdown is pending cannot be reset. */
  #shutDown(): void {
    if (this.#hasPeerEnded)
      this.close(); // sends FIN, too
    else if (this.#handles.shutdown(this.#handle) !== 0) this.onShutdown(); // no longer connected
  }

  #reportClosed(): void {
    this.#isClosed = true;
    this.#owner?.onClosed(this);
  }

  /** Reports `status` to the owner if it is an error. @returns whether it is none. */
  #check(call: string, status: number): boolean {
    if (status === 0) return true;
    this.#owner?.onFailed(this, systemError(call, status));
    return false;
  }
}

function systemError(call: string, status: number, where = ''): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`${call} ${code}${where}`), { code, errno: status, syscall: call });
}

function connectError(status: number, { address, port }: Target): Error {
  return Object.assign(systemError('connect', status, ` ${address}:${String(port)}`), { address, port });
}
