import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { send, watchSilence } from './clients.ts';
import { headerBytes, placeBytes, type Side, type Stream, type StreamBook } from './stream.ts';

/** A remote of the relay in this process, by TCP and UDP on one port, which knows what each client sends. */
export class Remote {
  readonly host: string;
  readonly port: number;
  readonly #book: StreamBook;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #udp: UdpSocket | undefined;
  #isStalled = false;

  constructor(book: StreamBook, host: string, port: number) {
    this.#book = book;
    this.host = host;
    this.port = port;
  }

  /** Number of open connections. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Listens, at the start and after {@link leave}. */
  async listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#accept(socket);
    }).listen(this.port, this.host);
    this.#server = server;
    await once(server, 'listening');
    const udp = createSocket({ type: this.host.includes(':') ? 'udp6' : 'udp4', reuseAddr: false });
    this.#udp = udp;
    udp.on('error', () => undefined);
    udp.on('message', (datagram, { port, address }) => {
      if (this.#isRight(datagram)) udp.send(datagram, port, address);
    });
    const listening = once(udp, 'listening');
    udp.bind(this.port, this.host);
    await listening;
  }

  /** Listens no more; open connections go on. */
  async leave(): Promise<void> {
    const [server, udp] = [this.#server, this.#udp];
    [this.#server, this.#udp] = [undefined, undefined];
    server?.close();
    udp?.close();
    if (udp !== undefined) await once(udp, 'close');
  }

  /** Resets all open connections. @returns how many. */
  reset(): number {
    const count = this.#sockets.size;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    return count;
  }

  /** Reads no connection from now on, or all again. */
  stall(isStalled: boolean): void {
    this.#isStalled = isStalled;
    for (const socket of this.#sockets) {
      if (isStalled) socket.pause();
      else socket.resume();
    }
  }

  /** Ends it and all its connections. */
  async close(): Promise<void> {
    await this.leave();
    for (const socket of this.#sockets) socket.destroy();
  }

  #isRight(datagram: Buffer): boolean {
    if (datagram.length < headerBytes + placeBytes) {
      this.#book.foreign.push(datagram.toString('hex'));
      return false;
    }
    const stream = this.#book.find(datagram.subarray(0, headerBytes));
    if (stream === undefined) return false;
    const payload = datagram.subarray(headerBytes + placeBytes);
    const place = datagram.readUInt32BE(headerBytes);
    if (stream.fromRemote(place, payload.length).equals(payload)) return true;
    stream.client.finish('wrong bytes');
    return false;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.setKeepAlive(true, 10_000);
    let head = Buffer.alloc(0);
    const onHead = (part: Buffer): void => {
      head = Buffer.concat([head, part]);
      if (head.length < headerBytes) return;
      socket.off('data', onHead);
      const stream = this.#book.find(head.subarray(0, headerBytes));
      if (stream === undefined) socket.resetAndDestroy();
      else serve(socket, stream, head.subarray(headerBytes));
    };
    socket.on('data', onHead);
    socket.once('end', () => {
      if (head.length < headerBytes) socket.end(); // a check of a relay or of a load balancer
    });
    if (this.#isStalled) socket.pause();
  }
}

/** Reads and answers one client, whose header has arrived; `first` came with it. */
function serve(socket: Socket, stream: Stream, first: Buffer): void {
  const side = stream.reachRemote();
  const { down, manner } = stream.plan;
  watchSilence(socket, side);
  let isSent = false;
  const finishIfDone = (): void => {
    if (isSent && side.expected.isWhole && socket.readableEnded) side.finish('whole');
  };
  const answer = (): void => {
    const part = (offset: number, length: number): Buffer => stream.fromRemote(offset, length);
    send(socket, down, part, () => {
      isSent = true;
      if (socket.readableEnded) socket.end();
      finishIfDone();
    });
  };
  const onData = (part: Buffer): void => {
    if (side.expected.take(part)) return;
    side.finish('wrong bytes');
    socket.destroy();
  };
  socket.on('data', onData);
  socket.on('error', () => {
    side.finish('reset');
  });
  socket.on('close', () => {
    side.finish('reset');
  });
  socket.on('end', () => {
    onEnd(socket, side, isSent);
    if (manner === 'half-close' && side.expected.isWhole) answer();
    else finishIfDone();
  });
  onData(first);
  if (manner !== 'half-close') answer();
}

/** The relay has ended its side: in good order only if all has arrived. */
function onEnd(socket: Socket, side: Side, isSent: boolean): void {
  if (!side.expected.isWhole) {
    side.finish('ended early');
    socket.destroy();
  } else if (isSent) socket.end();
}
