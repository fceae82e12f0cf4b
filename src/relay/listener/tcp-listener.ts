import type { IpFamily } from '../../lib/ip-address.ts';
import type { PausableListener } from '../limits/descriptor-guard.ts';
import type { ListeningSocket, ListenOptions, TcpStack } from '../net/channel.ts';
import { familiesOf, type OpenListener } from './listener.ts';

/** What a TCP listener binds, and who receives its clients. */
export type TcpListenerOptions = ListenOptions & { readonly tcp: TcpStack };

/** Listens on TCP. @throws the kernel's error, for example EADDRINUSE. */
export async function listenTcp(options: TcpListenerOptions): Promise<TcpListener> {
  return new TcpListener(await options.tcp.listen(options), options);
}

/** A listening socket that can be paused: its clients then wait in the kernel, if the stack can do that. */
export class TcpListener implements OpenListener, PausableListener {
  readonly address: string;
  readonly port: number;
  readonly families: readonly IpFamily[];
  readonly sockets = 1;
  readonly #socket: ListeningSocket;
  #isPaused = false;
  #isClosed = false;

  constructor(socket: ListeningSocket, { address, ipv6Only }: TcpListenerOptions) {
    this.address = address;
    this.port = socket.port;
    this.families = familiesOf(address, ipv6Only);
    this.#socket = socket;
  }

  get canPause(): boolean {
    return this.#socket.canPause;
  }

  /** Whether new clients stay in the kernel. */
  get isPaused(): boolean {
    return this.#isPaused && !this.#isClosed;
  }

  /** How many clients wait in the kernel; closing the listener resets them. */
  waiting(): Promise<number> {
    return this.#socket.waiting();
  }

  pause(): void {
    if (this.#isClosed || this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (this.#isClosed || !this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** Frees the port at once. */
  close(): Promise<void> {
    if (!this.#isClosed) this.#socket.close();
    this.#isClosed = true;
    return Promise.resolve();
  }

  drain(): Promise<void> {
    return this.close();
  }

  release(): Promise<void> {
    return this.close();
  }
}
