import type { Connection, ConnectionContext, Direction } from '../connection/connection.ts';
import { KernelSocket } from '../kernel/kernel-socket.ts';
import type { OwnSocket, RelayPath } from '../limits/own-sockets.ts';
import type { Address } from '../net/channel.ts';
import type { Side } from '../stats/side.ts';
import type { DialTarget } from '../upstream/dial.ts';
import { recordedError } from './error-record.ts';
import type { Report } from './messages.ts';

/** What a worker has read of a connection. */
type Counted = Direction & { bytes: number };

/** What a handed connection has the worker do that serves it. */
export type HandedOrders = Pick<Connection, 'start' | 'cut'>;

/** A connection that a worker serves, as the main thread knows it: what the worker does counts here. */
export class HandedConnection implements Connection {
  countedAs: string | undefined;
  path: RelayPath = [];
  readonly fromClient: Counted = { bytes: 0, hasEnded: false };
  readonly fromUpstream: Counted = { bytes: 0, hasEnded: false };
  readonly #context: ConnectionContext;
  readonly #orders: HandedOrders;
  /** In the order in which they are tried. */
  #remotes: readonly DialTarget[] = [];
  /** Those whose `release` is due. */
  readonly #acquired = new Set<DialTarget>();
  readonly #sockets: OwnSocket[] = [];

  constructor(context: ConnectionContext, orders: HandedOrders) {
    this.#context = context;
    this.#orders = orders;
  }

  start(): void {
    this.#orders.start();
  }

  cut(): void {
    this.#orders.cut();
  }

  /** The worker ends what is over. */
  endIfOver(): void {
    // nothing is left to do here
  }

  /** The worker tries `remotes` in this order. */
  dials(remotes: readonly DialTarget[]): void {
    this.#remotes = remotes;
  }

  /** The worker is about to dial the first remote: counts that at once, so that the next client is balanced by it. */
  acquireFirst(): void {
    const [first] = this.#remotes;
    if (first !== undefined) this.#acquire(first);
  }

  onDial({ index, event, error }: Extract<Report, { kind: 'dial' }>): void {
    const remote = this.#remotes[index];
    if (remote === undefined) return;
    if (event === 'acquire') this.#acquire(remote);
    else if (event === 'release') this.#release(remote);
    else if (event === 'succeed') remote.succeed();
    else if (error !== undefined) remote.fail(recordedError(error));
  }

  /** Its socket `fd` is about to connect to `remote`, a port of this relay. */
  onOpened(fd: number, remote: Address): void {
    const socket = { local: () => KernelSocket.boundAt(fd) };
    this.#sockets.push(socket);
    this.#context.ownSockets.opened(socket, this.path, remote);
  }

  /** It is over, since the worker has said so or has ended. */
  settle(failure: Side | 'probe' | undefined): void {
    const { ownSockets, onSettled } = this.#context;
    for (const socket of this.#sockets) ownSockets.closed(socket);
    for (const remote of this.#acquired) remote.release();
    this.#acquired.clear();
    onSettled(this, failure);
  }

  #acquire(remote: DialTarget): void {
    if (this.#acquired.has(remote)) return;
    this.#acquired.add(remote);
    remote.acquire();
  }

  #release(remote: DialTarget): void {
    if (this.#acquired.delete(remote)) remote.release();
  }
}
