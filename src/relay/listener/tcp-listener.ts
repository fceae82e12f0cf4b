import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import type { IpFamily } from '../../lib/ip-address.ts';
import type { Accepted, HandleDuplicator, ListenHandle, TcpStack } from '../net/channel.ts';
import type { PausableListener } from '../limits/descriptor-guard.ts';
import { procAddress, procSockets } from '../net/proc-net.ts';
import { familiesOf, type OpenListener } from './listener.ts';

/** Clients that may wait in the kernel to be accepted, which caps it at net.core.somaxconn. */
const backlog = 1024;

/** What a TCP listener binds, and who receives its clients. */
export type TcpListenerOptions = {
  readonly address: string;
  readonly port: number;
  readonly ipv6Only: boolean;
  /** A handle that is bound to the address already; absent = to be bound. */
  readonly handle?: object;
  readonly tcp: TcpStack;
  /** Receives each client, and owns it from then on. */
  readonly onAccepted: (client: Accepted) => void;
  readonly onAcceptError: (error: Error) => void;
  /** Called if the listening socket is lost without `close`. */
  readonly onLost: (error: Error) => void;
};

/**
 * Listens on TCP. Sets IPV6_V6ONLY explicitly, on or off, and never SO_REUSEPORT.
 *
 * @throws the kernel's error, for example EADDRINUSE.
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

/** A listening socket that can be paused: a duplicate, which nobody reads, then keeps its clients in the kernel. */
export class TcpListener implements OpenListener, PausableListener {
  readonly address: string;
  readonly port: number;
  readonly families: readonly IpFamily[];
  readonly #options: TcpListenerOptions;
  readonly #duplicator: HandleDuplicator | undefined;
  #server: Server;
  /** Replaces the server while the listener is paused. */
  #duplicate: ListenHandle | undefined;
  #duplicating: Promise<void> | undefined;
  #isPaused = false;
  #isClosed = false;

  constructor(server: Server, duplicator: HandleDuplicator | undefined, options: TcpListenerOptions) {
    this.address = options.address;
    this.port = (server.address() as AddressInfo).port;
    this.families = familiesOf(options.address, options.ipv6Only);
    this.#options = options;
    this.#duplicator = duplicator;
    this.#server = server;
    this.#accept();
  }

  get canPause(): boolean {
    return this.#duplicator !== undefined;
  }

  /** Whether new clients stay in the kernel. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** How many clients wait in the kernel; closing the listener resets them. */
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

  /** Frees the port at once, or once a pending duplication is done. */
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
    const mayClose = this.#duplicator?.duplicate(server, (duplicate) => {
      this.#duplicating = undefined;
      if (duplicate !== undefined || this.#isClosed) server.close();
      this.#onDuplicated(duplicate);
      resolve(undefined);
    });
    if (mayClose === undefined) return;
    this.#duplicating = promise;
    if (mayClose) server.close();
  }

  #onDuplicated(duplicate: ListenHandle | undefined): void {
    if (this.#isClosed) duplicate?.close();
    else if (duplicate === undefined) this.#onDuplicationFailed();
    else if (this.#isPaused) this.#duplicate = duplicate;
    else this.#listen(duplicate);
  }

  /** If the server was closed already, the listening socket is lost. */
  #onDuplicationFailed(): void {
    if (this.#server.listening) return;
    this.#isClosed = true;
    this.#duplicator?.release();
    this.#options.onLost(new Error('listening socket lost, file descriptor limit reached'));
  }

  #listen(handle: ListenHandle): void {
    this.#duplicate = undefined;
    this.#server = newServer().listen(handle, backlog);
    this.#accept();
  }

  #accept(): void {
    const { tcp, onAccepted, onAcceptError } = this.#options;
    this.#server.on('error', onAcceptError);
    tcp.accept(this.#server, onAccepted);
  }
}
