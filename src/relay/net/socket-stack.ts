import { once } from 'node:events';
import { createServer, Socket, type AddressInfo } from 'node:net';
import type {
  Accepted,
  Address,
  Channel,
  ChannelOwner,
  SocketSettings,
  ListeningSocket,
  ListenOptions,
  Reader,
  Target,
  TcpStack,
} from './channel.ts';
import { DeviceError } from './device-error.ts';
import { MptcpError, mptcpFaultOfNode } from './mptcp-error.ts';
import { reset } from './reset.ts';

/** TCP on documented `node:net` only: sockets, read by their events. */
export const socketStack: TcpStack = {
  listen,
  connect: (target, onConnected) => new SocketChannel(connectSocket(target, onConnected)),
  mptcpFault: () => mptcpFaultOfNode,
  countDescriptors: () => undefined,
};

/** Connects a socket to an IP address, and reports the outcome as `TcpStack.connect` does. */
function connectSocket(
  { address, port, from, device, mptcp }: Target,
  onConnected: (error: Error | undefined) => void,
): Socket {
  const socket = new Socket({ allowHalfOpen: true }).once('error', onConnected);
  if (device !== undefined) return socket.destroy(new DeviceError(device));
  if (mptcp === true) return socket.destroy(new MptcpError('send_mptcp', mptcpFaultOfNode));
  const source = from === undefined ? {} : { localAddress: from.address, localPort: from.port };
  return socket.connect({ host: address, port, ...source, autoSelectFamily: false }, () => {
    socket.off('error', onConnected);
    onConnected(undefined);
  });
}

/** Clients that may wait in the kernel to be accepted, which caps it at net.core.somaxconn. */
export const backlog = 1024;

async function listen(options: ListenOptions): Promise<ListeningSocket> {
  const { address, port, ipv6Only, device, mptcp, handle, onAccepted, onAcceptError } = options;
  if (device !== undefined) throw new DeviceError(device);
  if (mptcp === true) throw new MptcpError('accept_mptcp', mptcpFaultOfNode);
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    onAccepted(new AcceptedSocket(socket));
  });
  if (handle === undefined) server.listen({ host: address, port, ipv6Only, backlog });
  else server.listen(handle, backlog);
  await once(server, 'listening');
  server.on('error', onAcceptError);
  const { port: boundPort } = server.address() as AddressInfo;
  return {
    port: boundPort,
    canPause: false, // a server of Node.js accepts as long as it listens
    pause: () => undefined,
    resume: () => undefined,
    waiting: () => Promise.resolve(0), // all are accepted
    close: () => {
      server.close();
    },
  };
}

/** Its server has `pauseOnConnect` and `allowHalfOpen`. */
class AcceptedSocket implements Accepted {
  readonly remote: Address;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.remote = remoteOf(socket);
    this.#socket = socket;
  }

  local(): Address {
    return localOf(this.#socket);
  }

  channel(): Channel {
    return new SocketChannel(this.#socket);
  }

  stream(settings: SocketSettings): Socket {
    applySettings(this.#socket, settings);
    return this.#socket;
  }

  keepAlive(settings: SocketSettings): void {
    applySettings(this.#socket, settings);
  }

  isGone(): boolean {
    if (this.#socket.listenerCount('error') === 0) this.#socket.on('error', () => undefined);
    probe(this.#socket);
    return this.#socket.errored !== null || this.#socket.destroyed;
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }
}

/** Node.js has no function for a user timeout. */
function applySettings(socket: Socket, { tcpKeepaliveMs, tcpKeepaliveProbes, dscp }: SocketSettings): void {
  socket.setNoDelay(true);
  if (tcpKeepaliveMs > 0) socket.setKeepAlive(true, tcpKeepaliveMs, tcpKeepaliveMs, tcpKeepaliveProbes);
  if (dscp > 0 && 'setTypeOfService' in socket) socket.setTypeOfService(dscp << 2); // RFC 2474, section 3
}

const nothing = Buffer.alloc(0);

/**
 * Makes `socket` fail if its peer has reset the connection, or is known to be gone, while it is not read: writing nothing
 * sends nothing, and returns the error that the kernel has for the connection.
 *
 * @param reader  what reads it: TLS on top of it, or the socket itself.
 */
export function probe(socket: Socket, reader = socket): void {
  const isRead = !reader.isPaused() && !reader.readableEnded;
  if (!isRead && socket.writable && socket.writableLength === 0) socket.write(nothing);
}

function remoteOf({ remoteAddress = '', remotePort = 0 }: Socket): Address {
  return { address: remoteAddress, port: remotePort };
}

function localOf({ localAddress = '', localPort = 0 }: Socket): Address {
  return { address: localAddress, port: localPort };
}

class SocketChannel implements Channel {
  readonly #socket: Socket;
  #reader: Reader | undefined;
  #owner: ChannelOwner | undefined;
  #isWaiting = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  local(): Address {
    return localOf(this.#socket);
  }

  remote(): Address {
    return remoteOf(this.#socket);
  }

  open(reader: Reader, owner: ChannelOwner, settings: SocketSettings): void {
    const isOpen = this.#owner !== undefined;
    this.#reader = reader;
    this.#owner = owner;
    this.#socket.pause();
    applySettings(this.#socket, settings);
    if (isOpen) return;
    this.#socket.on('data', this.#onData).on('end', this.#onEnd);
    this.#socket.on('error', this.#onError).on('close', this.#onClose);
  }

  resume(): void {
    this.#socket.resume();
  }

  write(part: Uint8Array): boolean {
    this.#socket.write(part, this.#onWritten);
    this.#isWaiting = this.#socket.writableLength > 0;
    return !this.#isWaiting;
  }

  stream(settings: SocketSettings): Socket {
    this.#socket.off('data', this.#onData).off('end', this.#onEnd);
    this.#socket.off('error', this.#onError).off('close', this.#onClose);
    applySettings(this.#socket, settings);
    return this.#socket;
  }

  probe(): void {
    probe(this.#socket);
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  reset(): void {
    reset(this.#socket);
  }

  readonly #onData = (part: Buffer): void => {
    if (this.#reader?.take(part) === false) this.#socket.pause();
  };

  readonly #onEnd = (): void => {
    this.#reader?.end();
  };

  readonly #onError = (error: Error): void => {
    this.#owner?.onFailed(this, error);
  };

  readonly #onClose = (): void => {
    this.#owner?.onClosed(this);
  };

  /** Instead of 'drain', which is emitted only above the high-water mark: a small write can have to wait, too. */
  readonly #onWritten = (error?: Error | null): void => {
    if (!this.#isWaiting || error || this.#socket.writableLength > 0) return;
    this.#isWaiting = false;
    this.#owner?.onDrained(this);
  };
}
