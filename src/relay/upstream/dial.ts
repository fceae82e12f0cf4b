/**
 * `upstream`: which remote a client is sent to, in which order remotes are tried, whether they are healthy, and
 * connecting.
 *
 * Vocabulary. A `Remote` is one configured address and what is known of it. A dial connects to the first remote that
 * accepts; another one is dialled beside it while it is silent, and several addresses of one name race in the same way
 * (Happy Eyeballs). A remote whose dials fail is ejected: it is tried last until its backoff is over, when one client
 * probes it. One that another remote has overtaken is checked, since it is slow or gone. A health check is a dial without
 * a client. A `RemotePool` holds the remotes of one backend, whose `Balancer` orders them; `Backends` holds the pools of
 * one listening port, and `EndpointRemotes` those of an endpoint, for TCP and for UDP.
 *
 * Guarantee: every remote stays in the order, so that a client is reset only after all of them failed; a dial owns its
 * descriptors and closes every attempt but the one that it returns; what is known of a remote outlives a reload.
 */

import type { SocketAddress } from '../../config/address.ts';
import { RealmError } from '../../lib/errors.ts';
import type { ConnectionAttempt } from './happy-eyeballs.ts';
import { RemoteDial, type RemoteDialOptions, type RemoteDialOwner } from './remote-dial.ts';
import type { RemoteOrder } from './remote-order.ts';

const none: readonly never[] = [];
/** Remotes that are dialled at a time for one client: an outage of all must not take a descriptor for each of them. */
const maxAtATime = 4;

/** No remote accepted a connection; `cause` is the error of the last one. */
export class DialError extends RealmError {
  readonly code = 'REALM_DIAL_FAILED';
  /** The last remote that failed, as configured. */
  readonly upstream: string;

  constructor(upstream: string, options: ErrorOptions) {
    super('no remote could be reached', options);
    this.upstream = upstream;
  }
}

/** A remote to dial, which keeps account of the outcome. */
export type DialTarget = SocketAddress & {
  /** As configured. */
  readonly text: string;
  /** A dial begins. */
  readonly acquire: () => void;
  /** The dial has failed or was given up, or its connection has ended. */
  readonly release: () => void;
  readonly succeed: () => void;
  readonly fail: (error: Error) => void;
  /** Another remote has accepted after this one had been silent, so its dial was given up: it may be slow, or gone. */
  readonly overtaken: () => void;
};

/** What a dial needs besides the remotes. `C` is the connection that it makes. */
export type DialOptions<C extends ConnectionAttempt> = RemoteDialOptions<C> & {
  /** Called for each remote that failed while another one is tried, or before it is. */
  readonly onFailedTry: (remote: DialTarget, error: Error) => void;
};

/** A connection and its remote, which counts it until `release`. */
export type Dialled<C, T extends DialTarget> = { readonly channel: C; readonly remote: T };

/** Receives the outcome of a dial: the connection, why no remote accepted, or undefined if it was cancelled. */
export type DialEnd<C, T extends DialTarget> = (outcome: Dialled<C, T> | DialError | undefined) => void;

/**
 * Connects to the first of several remotes that accepts. The next one is dialled as soon as the last one has failed, or beside
 * it once that has been silent for 250 ms: an address that drops packets costs a quarter of a second, not its timeout. Owns its
 * connection attempts, and closes all but the first that succeeds.
 */
export class Dial<C extends ConnectionAttempt, T extends DialTarget = DialTarget> implements RemoteDialOwner<
  C,
  T
> {
  readonly #options: DialOptions<C>;
  /** The remotes that are dialled, in the order in which they were begun. */
  #running: readonly RemoteDial<C, T>[] = none;
  #onEnd: DialEnd<C, T> | undefined;
  #order: RemoteOrder<T> | undefined;
  #started = 0;
  /** Whether another thread is about to name the next remote. */
  #isWaiting = false;
  /** Whether every remote was tried. */
  #isComplete = false;
  #isOver = false;
  /** The last that failed, until another one is tried. */
  #failed: { readonly remote: T; readonly error: Error } | undefined;

  constructor(options: DialOptions<C>) {
    this.#options = options;
  }

  /** Ends the dial, with the outcome undefined. */
  cancel(): void {
    if (this.#isOver) return;
    this.#end();
    this.#onEnd?.(undefined);
  }

  /** To be called once. Calls `onEnd` once: at once if `order` is empty, else later. */
  connect(order: RemoteOrder<T>, onEnd: DialEnd<C, T>): void {
    this.#order = order;
    this.#onEnd = onEnd;
    this.#tryNext();
  }

  onEnd(dial: RemoteDial<C, T>, outcome: C | Error): void {
    if (outcome instanceof Error) this.#fail(dial, outcome);
    else this.#succeed(dial, outcome);
  }

  onSilent(dial: RemoteDial<C, T>): void {
    const isLast = this.#running.at(-1) === dial;
    const mayStart = this.#running.length < maxAtATime && this.#options.budget.hasRoom(1);
    if (isLast && mayStart) this.#tryNext();
    else if (isLast) dial.watchSilence(); // until others have failed, or there is a descriptor
  }

  #tryNext(): void {
    if (this.#isOver || this.#isWaiting || this.#isComplete) return;
    const next = this.#order?.next();
    if (next instanceof Promise) void this.#startLater(next);
    else this.#start(next);
  }

  async #startLater(next: Promise<T | undefined>): Promise<void> {
    this.#isWaiting = true;
    const remote = await next;
    this.#isWaiting = false;
    this.#start(remote);
  }

  #start(remote: T | undefined): void {
    if (this.#isOver) return;
    if (remote === undefined) {
      this.#isComplete = true;
      this.#failIfLast();
      return;
    }
    this.#reportFailed();
    this.#started += 1;
    if (this.#running.length > 0) this.#options.budget.take(1);
    remote.acquire();
    const isLast = this.#started >= (this.#order?.size ?? 0);
    const dial = new RemoteDial<C, T>(remote, this.#options, this);
    this.#running = this.#running.length === 0 ? [dial] : [...this.#running, dial];
    dial.connect(!isLast);
  }

  #succeed(winner: RemoteDial<C, T>, channel: C): void {
    const { remote } = winner;
    this.#remove(winner);
    remote.succeed();
    const others = this.#running;
    this.#end();
    if (others.length > 0)
      for (const { remote: other, wasSilent } of others) if (wasSilent) other.overtaken();
    this.#onEnd?.({ channel, remote });
  }

  #fail(dial: RemoteDial<C, T>, error: Error): void {
    const { remote } = dial;
    this.#remove(dial);
    remote.release();
    remote.fail(error);
    this.#failed = { remote, error };
    if (this.#running.length > 0) this.#reportFailed();
    this.#tryNext();
    this.#failIfLast();
  }

  #failIfLast(): void {
    if (!this.#isComplete || this.#running.length > 0 || this.#isOver) return;
    this.#isOver = true;
    const { remote, error: cause } = this.#failed ?? {};
    this.#onEnd?.(new DialError(remote?.text ?? '', { cause }));
  }

  #reportFailed(): void {
    if (this.#failed === undefined) return;
    this.#options.onFailedTry(this.#failed.remote, this.#failed.error);
    this.#failed = undefined;
  }

  /** The dial has one descriptor, and takes another one for each remote beside the first. */
  #remove(dial: RemoteDial<C, T>): void {
    this.#running = this.#running.length === 1 ? none : this.#running.filter((each) => each !== dial);
    if (this.#running.length > 0) this.#options.budget.release(1);
  }

  #end(): void {
    this.#isOver = true;
    if (this.#running.length === 0) return;
    for (const dial of this.#running) {
      dial.end();
      dial.remote.release();
    }
    const extra = this.#running.length - 1;
    if (extra > 0) this.#options.budget.release(extra);
    this.#running = none;
  }
}
