import type { Connection, ConnectionContext, ConnectionRemote, Direction } from '../connection/connection.ts';
import { KernelSocket } from '../kernel/kernel-socket.ts';
import type { OwnSocket, RelayPath } from '../limits/own-sockets.ts';
import type { Address } from '../net/channel.ts';
import type { Side } from '../stats/side.ts';
import type { KnownOrder } from '../upstream/remote-order.ts';
import type { RemotePool } from '../upstream/remote-pool.ts';
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
  pool: RemotePool | undefined;
  readonly fromClient: Counted = { bytes: 0, hasEnded: false };
  readonly fromUpstream: Counted = { bytes: 0, hasEnded: false };
  readonly #context: ConnectionContext;
  readonly #orders: HandedOrders;
  #order: KnownOrder<ConnectionRemote> | undefined;
  /** Those that the worker knows, in the order in which they are tried. */
  readonly #remotes: ConnectionRemote[] = [];
  /** Those whose `release` is due. */
  readonly #acquired = new Set<ConnectionRemote>();
  readonly #sockets: OwnSocket[] = [];
  readonly #startedMs: number;
  /** The remote that is connected, and the bytes that it has counted. */
  #remote: ConnectionRemote | undefined;
  #countedFromClient = 0;
  #countedFromUpstream = 0;

  constructor(context: ConnectionContext, orders: HandedOrders) {
    this.#context = context;
    this.#orders = orders;
    this.#startedMs = context.clock.monotonicMs();
  }

  start(): void {
    this.#orders.start();
  }

  cut(): void {
    this.#orders.cut();
  }

  countTraffic(): void {
    const [fromClient, fromUpstream] = [this.fromClient.bytes, this.fromUpstream.bytes];
    this.#remote?.transferred(fromClient - this.#countedFromClient, fromUpstream - this.#countedFromUpstream);
    this.#countedFromClient = fromClient;
    this.#countedFromUpstream = fromUpstream;
  }

  /** The worker ends what is over. */
  endIfOver(): void {
    // nothing is left to do here
  }

  /** The next remotes for the worker to try, at most `count`. @param order  called for the first ones. */
  nextRemotes(count: number, order: () => KnownOrder<ConnectionRemote>): readonly ConnectionRemote[] {
    this.#order ??= order();
    const known = this.#remotes.length;
    while (this.#remotes.length < known + count) {
      const next = this.#order.next();
      if (next === undefined) break;
      this.#remotes.push(next);
    }
    return this.#remotes.slice(known);
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
    else if (event === 'overtaken') remote.overtaken();
    else if (event === 'succeed') {
      this.#remote = remote;
      remote.succeed();
    } else if (error !== undefined) remote.fail(recordedError(error));
  }

  /** Its socket `fd` is about to connect to `remote`, a port of this relay. */
  onOpened(fd: number, remote: Address): void {
    const socket = { local: () => KernelSocket.boundAt(fd) };
    this.#sockets.push(socket);
    this.#context.ownSockets.opened(socket, this.path, remote);
  }

  onDialled(waitedMs: number): void {
    this.#context.onDialled(waitedMs);
  }

  /** It is over, since the worker has reported that or has ended. */
  settle(
    failure: Side | 'probe' | undefined,
    durationMs = this.#context.clock.monotonicMs() - this.#startedMs,
  ): void {
    this.countTraffic();
    const { ownSockets, onSettled } = this.#context;
    for (const socket of this.#sockets) ownSockets.closed(socket);
    for (const remote of this.#acquired) remote.release();
    this.#acquired.clear();
    onSettled(this, failure, durationMs);
  }

  #acquire(remote: ConnectionRemote): void {
    if (this.#acquired.has(remote)) return;
    this.#acquired.add(remote);
    remote.acquire();
  }

  #release(remote: ConnectionRemote): void {
    if (this.#acquired.delete(remote)) remote.release();
  }
}
