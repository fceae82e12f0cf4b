import { Socket } from 'node:net';
import type { Accepted, Address, Channel, ChannelOwner, Keepalive, Reader, TcpStack } from './channel.ts';

/** TCP by what `node:net` documents: sockets, read by their events. */
export const socketStack: TcpStack = {
  accept: (server, onAccepted) => {
    server.on('connection', (socket) => {
      onAccepted(new AcceptedSocket(socket));
    });
  },
  connect: ({ address, port, from }, onConnected) => {
    const socket = new Socket({ allowHalfOpen: true }).once('error', onConnected);
    const source = from === undefined ? {} : { localAddress: from };
    socket.connect({ host: address, port, ...source, autoSelectFamily: false }, () => {
      socket.off('error', onConnected);
      onConnected(undefined);
    });
    return new SocketChannel(socket);
  },
};

/** Accepted by a server with `pauseOnConnect` and `allowHalfOpen`. */
class AcceptedSocket implements Accepted {
  readonly remote: Address;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    const { remoteAddress = '', remotePort = 0 } = socket;
    this.remote = { address: remoteAddress, port: remotePort };
    this.#socket = socket;
  }

  local(): Address {
    const { localAddress = '', localPort = 0 } = this.#socket;
    return { address: localAddress, port: localPort };
  }

  channel(): Channel {
    return new SocketChannel(this.#socket);
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }
}

class SocketChannel implements Channel {
  readonly #socket: Socket;
  #owner: ChannelOwner | undefined;
  #isWaiting = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  open(reader: Reader, owner: ChannelOwner, { tcpKeepaliveMs, tcpKeepaliveProbes }: Keepalive): void {
    const socket = this.#socket;
    this.#owner = owner;
    socket.pause();
    socket.setNoDelay(true);
    if (tcpKeepaliveMs > 0) socket.setKeepAlive(true, tcpKeepaliveMs, tcpKeepaliveMs, tcpKeepaliveProbes);
    socket.on('data', (part: Buffer) => {
      if (!reader.take(part.length, part)) socket.pause();
    });
    socket.once('end', () => {
      reader.end();
    });
    socket.on('error', (error) => {
      owner.onFailed(this, error);
    });
    socket.once('close', () => {
      owner.onClosed(this);
    });
  }

  resume(): void {
    this.#socket.resume();
  }

  write(part: Uint8Array): boolean {
    this.#socket.write(part, this.#onWritten);
    this.#isWaiting = this.#socket.writableLength > 0;
    return !this.#isWaiting;
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  reset(): void {
    if (!this.#socket.destroyed) this.#socket.resetAndDestroy();
  }

  /** Not 'drain': that is only told of writes above the high-water mark, and a small one can wait, too. */
  readonly #onWritten = (error?: Error | null): void => {
    if (!this.#isWaiting || error || this.#socket.writableLength > 0) return;
    this.#isWaiting = false;
    this.#owner?.onDrained(this);
  };
}
