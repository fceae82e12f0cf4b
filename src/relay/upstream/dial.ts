/**
 * `upstream`: which remote a client is sent to, in which order remotes are tried, whether they are healthy, and
 * connecting.
 *
 * Vocabulary. A `Remote` is one configured address and what is known of it. A dial connects to the first remote that
 * accepts; several addresses of one name race (Happy Eyeballs). A remote whose dials fail is ejected: it is tried
 * last until its backoff is over, when one client probes it. A health check is a dial without a client. A
 * `RemotePool` holds the remotes of one listening port, whose `Balancer` orders them; `EndpointRemotes` holds the
 * pools of an endpoint, for TCP and for UDP.
 *
 * Guarantee: every remote stays in the order, so that a client is reset only after all of them failed; a dial owns its
 * descriptors and closes every attempt but the one that it returns; what is known of a remote outlives a reload.
 */

import type { SocketAddress } from '../../config/address.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError, RealmError } from '../../lib/errors.ts';
import { present } from '../../lib/record.ts';
import { addressesOf, type Lookup } from '../dns/lookup.ts';
import type { DescriptorAllowance, Target } from '../net/channel.ts';
import { permitted } from './denied-destinations.ts';
import { HappyEyeballs, interleaved, type ConnectionAttempt } from './happy-eyeballs.ts';
import { fromAddress, reachable, type SourceAddress, sourceOf } from './source-address.ts';

/** No remote accepted a connection; `cause` is the error of the last one. */
export class DialError extends RealmError {
  readonly code = 'REALM_DIAL_FAILED';
  /** The last remote that was tried, as configured. */
  readonly upstream: string;

  constructor(upstream: string, options: ErrorOptions) {
    super('no remote could be reached', options);
    this.upstream = upstream;
  }
}

/** A remote did not answer within `tcp_timeout`. */
class DialTimeoutError extends RealmError {
  readonly code = 'REALM_DIAL_TIMEOUT';

  /** @param what  the step that was not done in time. */
  constructor(what: string, timeoutMs: number) {
    super(`${what} timed out after ${String(timeoutMs)} ms`);
  }
}

/** A remote to dial, which keeps account of the outcome. */
export type DialTarget = SocketAddress & {
  /** As configured. */
  readonly text: string;
  /** A dial begins. */
  readonly acquire: () => void;
  /** The dial failed, or its connection has ended. */
  readonly release: () => void;
  readonly succeed: () => void;
  readonly fail: (error: Error) => void;
};

/** What a dial needs besides the remotes. `C` is the connection that it makes. */
export type DialOptions<C extends ConnectionAttempt> = {
  /** Limit for each remote: its name lookup and the attempts at all its addresses together; 0 = no limit. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly lookup: Lookup;
  /** Has granted one descriptor to the dial; simultaneous attempts draw theirs from it. */
  readonly budget: DescriptorAllowance;
  /** Source address; undefined = the system's choice. Addresses of the other family are not tried. */
  readonly through: SocketAddress | undefined;
  /** The network interface to leave by; undefined = the system's choice. */
  readonly device: string | undefined;
  /** Whether to dial by Multipath TCP; default false. */
  readonly mptcp?: boolean;
  /** Addresses and ranges that are not dialled; undefined = none. */
  readonly denied: readonly string[] | undefined;
  /** Connects to an address, including any TLS or WebSocket handshake; for plain TCP it is `TcpStack.connect`. */
  readonly connect: (target: Target, onConnected: (error: Error | undefined) => void) => C;
  /** Called for each remote that failed and is followed by another. */
  readonly onFailedTry: (remote: DialTarget, error: Error) => void;
};

/** A connection and its remote, which counts it until `release`. */
export type Dialled<C, T extends DialTarget> = { readonly channel: C; readonly remote: T };

/**
 * Connects to the first of several remotes that accepts, one after the other; the addresses of one remote race. Owns
 * its connection attempts until one succeeds.
 */
export class Dial<C extends ConnectionAttempt> {
  readonly #options: DialOptions<C>;
  #deadlineMs = Infinity;
  #source: SourceAddress | undefined;
  #cancelled = false;
  /** Ends the step that is in progress. */
  #cancelStep: () => void = () => undefined;

  constructor(options: DialOptions<C>) {
    this.#options = options;
  }

  /** Ends the dial: `connect` resolves with undefined. */
  cancel(): void {
    this.#cancelled = true;
    this.#cancelStep();
  }

  /**
   * @returns undefined if the dial was cancelled.
   * @throws DialError if no remote accepted.
   */
  async connect<T extends DialTarget>(remotes: Iterable<T>): Promise<Dialled<C, T> | undefined> {
    let failed: { remote: T; error: Error } | undefined;
    for (const remote of remotes) {
      if (failed !== undefined) this.#options.onFailedTry(failed.remote, failed.error);
      try {
        const channel = await this.#try(remote);
        return channel && { channel, remote };
      } catch (error) {
        failed = { remote, error: asError(error) };
        remote.fail(failed.error);
      }
    }
    throw new DialError(failed?.remote.text ?? '', { cause: failed?.error });
  }

  async #try(remote: DialTarget): Promise<C | undefined> {
    remote.acquire();
    let channel: C | undefined;
    try {
      channel = await this.#connectRemote(remote);
      if (channel !== undefined) remote.succeed();
      return channel;
    } finally {
      if (channel === undefined) remote.release();
    }
  }

  async #connectRemote(remote: DialTarget): Promise<C | undefined> {
    const { clock, timeoutMs } = this.#options;
    this.#deadlineMs = timeoutMs === 0 ? Infinity : clock.monotonicMs() + timeoutMs;
    try {
      const hosts = await this.#hosts(remote);
      if (this.#isCancelled()) return undefined;
      const [host] = hosts;
      if (host === undefined) throw new Error('the name has no address');
      const channel = await (hosts.length === 1
        ? this.#connectAddress(host, remote.port)
        : this.#connectFirst(interleaved(hosts), remote));
      if (!this.#isCancelled()) return channel;
      channel.close();
    } catch (error) {
      if (!this.#isCancelled()) throw error;
    }
    return undefined;
  }

  /** The addresses of `remote` that may be dialled, in the order in which to try them. */
  async #hosts(remote: DialTarget): Promise<readonly string[]> {
    const { through, denied } = this.#options;
    const lookup = (host: string): Promise<readonly string[]> => this.#lookup(host);
    const addresses = await addressesOf(remote, lookup);
    if (through !== undefined) this.#source = await sourceOf(through, lookup);
    return reachable(permitted(addresses, denied), this.#source);
  }

  /** A method, because the compiler would assume that the field does not change across an `await`. */
  #isCancelled(): boolean {
    return this.#cancelled;
  }

  async #lookup(host: string): Promise<readonly string[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    const ended = new AbortController();
    const leave = (error: Error): void => {
      reject(error);
      ended.abort(error);
    };
    const stop = this.#limit(`looking up ${host}`, leave);
    this.#cancelStep = () => {
      leave(new Error('the dial was cancelled'));
    };
    this.#options.lookup(host, ended.signal).then(resolve, reject);
    try {
      return await promise;
    } finally {
      stop();
      this.#cancelStep = () => undefined;
    }
  }

  async #connectFirst(addresses: readonly string[], { host: name, port }: DialTarget): Promise<C> {
    const { connect } = this.#options;
    const race = new HappyEyeballs(addresses, {
      ...this.#options,
      connect: (address, onConnected) => connect(this.#target(address, port), onConnected),
    });
    const stop = this.#limit(`connecting to ${name}`, (error) => {
      race.end(error);
    });
    this.#cancelStep = () => {
      race.end(new Error('the dial was cancelled'));
    };
    try {
      return await race.winner;
    } finally {
      stop();
      this.#cancelStep = () => undefined;
    }
  }

  async #connectAddress(address: string, port: number): Promise<C> {
    const { connect } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const stop = this.#limit(`connecting to ${address}`, reject);
    const channel = connect(this.#target(address, port), (error) => {
      if (error === undefined) resolve(undefined);
      else reject(error);
    });
    this.#cancelStep = () => {
      reject(new Error('the dial was cancelled'));
    };
    try {
      await promise;
      return channel;
    } catch (error) {
      channel.close();
      throw error;
    } finally {
      stop();
      this.#cancelStep = () => undefined;
    }
  }

  #target(address: string, port: number): Target {
    const { device, mptcp } = this.#options;
    const from = fromAddress(address, this.#source);
    return { address, port, from, device, ...present('mptcp', mptcp) };
  }

  /** Calls `reject` when the time for this remote is over. @returns cancels that. */
  #limit(what: string, reject: (error: Error) => void): () => void {
    const { clock, timeoutMs } = this.#options;
    if (timeoutMs === 0) return () => undefined;
    return clock.after(Math.max(0, this.#deadlineMs - clock.monotonicMs()), () => {
      reject(new DialTimeoutError(what, timeoutMs));
    });
  }
}
