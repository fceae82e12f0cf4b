import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import type { IpFamily } from '../../lib/ip-address.ts';
import type { Accepted, HandleDuplicator, ListenHandle, TcpStack } from '../net/channel.ts';
import type { PausableListener } from '../limits/descriptor-guard.ts';
import { procAddress, procSockets } from '../net/proc-net.ts';
import { familiesOf, type Listener } from './listener.ts';

/** What waits in the kernel to be accepted; it takes the least of this and net.core.somaxconn. */
const backlog = 1024;

/** What a TCP listener is bound to and whom it serves. */
export type TcpListenerOptions = {
  readonly address: string;
  readonly port: number;
  readonly ipv6Only: boolean;
  /** Bound to it already; absent = to be bound. */
  readonly handle?: object;
  readonly tcp: TcpStack;
  /** Owns the client from now on. */
  readonly onAccepted: (client: Accepted) => void;
  readonly onAcceptError: (error: Error) => void;
  /** It listens no more, by nobody's wish. */
  readonly onLost: (error: Error) => void;
};

/**
 * Listens on TCP; IPV6_V6ONLY is set explicitly, on or off, and SO_REUSEPORT never.
 *
 * @throws the kernel's error, e.g. EADDRINUSE.
 */
export async function listenTcp(options: TcpListenerOptions): Promise<TcpListener> {
  const { address, port, ipv6Only, handle, tcp } = options;
  const duplicator = await tcp.duplicator?.();
  const server = newServer();
  if (handle === undefined) server.listen({ host: address, port, ipv6Only, backlog });
  else server.listen(handle, backlog);
  try {
    await once(server, 'listening');
  } catch (error) {
    duplicator?.release();
    throw error;
  }
  return new TcpListener(server, duplicator, options);
}

function newServer(): Server {
  return createServer({ pauseOnConnect: true, allowHalfOpen: true });
}

/** A listening socket that can be shut: a copy of it, which is not read, then keeps its clients in the kernel. */
export class TcpListener implements Listener, PausableListener {
  readonly address: string;
  readonly port: number;
  readonly families: readonly IpFamily[];
  readonly #options: TcpListenerOptions;
  readonly #duplicator: HandleDuplicator | undefined;
  #server: Server;
  /** What stands in for the server while it is shut. */
  #duplicate: ListenHandle | undefined;
  #duplicating: Promise<void> | undefined;
  #isPaused = false;
  #isClosed = false;

  constructor(server: Server, copier: HandleDuplicator | undefined, options: TcpListenerOptions) {
    this.address = options.address;
    this.port = (server.address() as AddressInfo).port;
    this.families = familiesOf(options.address, options.ipv6Only);
    this.#options = options;
    this.#duplicator = copier;
    this.#server = server;
    this.#accept();
  }

  get canPause(): boolean {
    return this.#duplicator !== undefined;
  }

  /** Whether clients may wait in the kernel. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** How many wait in the kernel: whom closing resets. */
  async waiting(): Promise<number> {
    const local = procAddress(this.address, this.port);
    const sockets = await procSockets('tcp');
    return sockets.find((socket) => socket.isListening && socket.local === local)?.waiting ?? 0;
  }

  pause(): void {
    if (this.#isClosed) return;
    this.#isPaused = true;
    if (this.#duplicate === undefined && this.#duplicating === undefined) this.#duplicateServer();
  }

  resume(): void {
    if (this.#isClosed) return;
    this.#isPaused = false;
    if (this.#duplicate !== undefined) this.#listen(this.#duplicate);
  }

  /** Frees the port at once; where it is just being shut when that is done. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#duplicating === undefined) this.#server.close();
    this.#duplicate?.close();
    await this.#duplicating;
    this.#duplicator?.release();
  }

  drain(): Promise<void> {
    return this.close();
  }

  #duplicateServer(): void {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const server = this.#server;
    const mayClose = this.#duplicator?.duplicate(server, (copy) => {
      this.#duplicating = undefined;
      if (copy !== undefined || this.#isClosed) server.close();
      this.#take(copy);
      resolve(undefined);
    });
    if (mayClose === undefined) return;
    this.#duplicating = promise;
    if (mayClose) server.close();
  }

  #take(copy: ListenHandle | undefined): void {
    if (this.#isClosed) copy?.close();
    else if (copy === undefined) this.#lose();
    else if (this.#isPaused) this.#duplicate = copy;
    else this.#listen(copy);
  }

  /** Nothing came back: of a server that is closed already, nothing is left. */
  #lose(): void {
    if (this.#server.listening) return;
    this.#isClosed = true;
    this.#duplicator?.release();
    this.#options.onLost(new Error('the listening socket was lost as file descriptors were short'));
  }

  #listen(copy: ListenHandle): void {
    this.#duplicate = undefined;
    this.#server = newServer().listen(copy, backlog);
    this.#accept();
  }

  #accept(): void {
    const { tcp, onAccepted, onAcceptError } = this.#options;
    this.#server.on('error', onAcceptError);
    tcp.accept(this.#server, onAccepted);
  }
}
