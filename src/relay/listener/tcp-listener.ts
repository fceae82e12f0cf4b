import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import type { IpFamily } from '../../lib/ip-address.ts';
import type { Accepted, Copier, ListenHandle, TcpStack } from '../net/channel.ts';
import type { PausableListener } from '../limits/descriptor-guard.ts';
import { kernelAddress, kernelSockets } from '../net/proc-net.ts';
import { familiesOf, type Listening } from './listener.ts';

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
  const copier = await tcp.copier?.();
  const server = newServer();
  if (handle === undefined) server.listen({ host: address, port, ipv6Only, backlog });
  else server.listen(handle, backlog);
  try {
    await once(server, 'listening');
  } catch (error) {
    copier?.release();
    throw error;
  }
  return new TcpListener(server, copier, options);
}

function newServer(): Server {
  return createServer({ pauseOnConnect: true, allowHalfOpen: true });
}

/** A listening socket that can be shut: a copy of it, which is not read, then keeps its clients in the kernel. */
export class TcpListener implements Listening, PausableListener {
  readonly address: string;
  readonly port: number;
  readonly families: readonly IpFamily[];
  readonly #options: TcpListenerOptions;
  readonly #copier: Copier | undefined;
  #server: Server;
  /** What stands in for the server while it is shut. */
  #copy: ListenHandle | undefined;
  #copying: Promise<void> | undefined;
  #isPaused = false;
  #isClosed = false;

  constructor(server: Server, copier: Copier | undefined, options: TcpListenerOptions) {
    this.address = options.address;
    this.port = (server.address() as AddressInfo).port;
    this.families = familiesOf(options.address, options.ipv6Only);
    this.#options = options;
    this.#copier = copier;
    this.#server = server;
    this.#accept();
  }

  get canPause(): boolean {
    return this.#copier !== undefined;
  }

  /** Whether clients may wait in the kernel. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** How many wait in the kernel: whom closing resets. */
  async waiting(): Promise<number> {
    const local = kernelAddress(this.address, this.port);
    const sockets = await kernelSockets('tcp');
    return sockets.find((socket) => socket.isListening && socket.local === local)?.waiting ?? 0;
  }

  pause(): void {
    if (this.#isClosed) return;
    this.#isPaused = true;
    if (this.#copy === undefined && this.#copying === undefined) this.#copyServer();
  }

  resume(): void {
    if (this.#isClosed) return;
    this.#isPaused = false;
    if (this.#copy !== undefined) this.#listen(this.#copy);
  }

  /** Frees the port at once; where it is just being shut when that is done. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#copying === undefined) this.#server.close();
    this.#copy?.close();
    await this.#copying;
    this.#copier?.release();
  }

  drain(): Promise<void> {
    return this.close();
  }

  #copyServer(): void {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const server = this.#server;
    const mayClose = this.#copier?.copy(server, (copy) => {
      this.#copying = undefined;
      if (copy !== undefined || this.#isClosed) server.close();
      this.#take(copy);
      resolve(undefined);
    });
    if (mayClose === undefined) return;
    this.#copying = promise;
    if (mayClose) server.close();
  }

  #take(copy: ListenHandle | undefined): void {
    if (this.#isClosed) copy?.close();
    else if (copy === undefined) this.#lose();
    else if (this.#isPaused) this.#copy = copy;
    else this.#listen(copy);
  }

  /** Nothing came back: of a server that is closed already, nothing is left. */
  #lose(): void {
    if (this.#server.listening) return;
    this.#isClosed = true;
    this.#copier?.release();
    this.#options.onLost(new Error('the listening socket was lost as file descriptors were short'));
  }

  #listen(copy: ListenHandle): void {
    this.#copy = undefined;
    this.#server = newServer().listen(copy, backlog);
    this.#accept();
  }

  #accept(): void {
    const { tcp, onAccepted, onAcceptError } = this.#options;
    this.#server.on('error', onAcceptError);
    tcp.accept(this.#server, onAccepted);
  }
}
