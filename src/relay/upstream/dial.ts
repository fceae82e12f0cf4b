import type { SocketAddress } from '../../config/address.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError, RealmError } from '../../lib/errors.ts';
import { addressesOf, type Lookup } from '../dns/lookup.ts';
import type { Channel, Target } from '../net/channel.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import { interleaved, HappyEyeballs } from './happy-eyeballs.ts';
import { fromAddress, reachable, type SourceAddress, sourceOf } from './source-address.ts';

/** No remote could be connected; `cause` is the last failure. */
export class DialError extends RealmError {
  readonly code = 'REALM_DIAL_FAILED';
  /** The last remote tried, as configured. */
  readonly upstream: string;

  constructor(upstream: string, options: ErrorOptions) {
    super('no remote could be connected', options);
    this.upstream = upstream;
  }
}

/** A remote took longer than `tcp_timeout`. */
class DialTimeoutError extends RealmError {
  readonly code = 'REALM_DIAL_TIMEOUT';

  /** @param what  what it was about when the time was over. */
  constructor(what: string, timeoutMs: number) {
    super(`${what} was not done within ${String(timeoutMs)} ms`);
  }
}

/** What is dialled, and is told what came of it. */
export type DialTarget = SocketAddress & {
  /** As configured. */
  readonly text: string;
  /** A dial begins. */
  readonly acquire: () => void;
  /** The dial failed, or the connection that came of it has ended. */
  readonly release: () => void;
  readonly succeed: () => void;
  readonly fail: (error: Error) => void;
};

/** What a dial makes and can give up. */
type Dialable = Pick<Channel, 'close'>;

/** What a dial needs besides the remotes. */
export type DialOptions<C extends Dialable> = {
  /** Limit for each remote: its name lookup and the tries of all its addresses together; 0 = none. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly lookup: Lookup;
  /** Has given a descriptor for the dial; tries beside the first take theirs from it. */
  readonly budget: DescriptorBudget;
  /** Source address; undefined = the system's choice. Addresses of another family are not tried. */
  readonly through: SocketAddress | undefined;
  /** Connects to an address, handshake included: as `TcpStack`, whose own it may be. */
  readonly connect: (target: Target, onConnected: (error: Error | undefined) => void) => C;
  /** Told of each try that failed while another one follows. */
  readonly onFailedTry: (remote: DialTarget, error: Error) => void;
};

/** A connected channel and where it goes; the remote counts it until it is told to `leave`. */
export type Dialled<C, T extends DialTarget> = { readonly channel: C; readonly remote: T };

/**
 * Connects to the first of `remotes` that can be, one after the other; the addresses of one race. Owns its
 * channels until one is connected.
 */
export class Dial<C extends Dialable> {
  readonly #options: DialOptions<C>;
  #deadlineMs = Infinity;
  #source: SourceAddress | undefined;
  #cancelled = false;
  #cancelConnect: () => void = () => undefined;

  constructor(options: DialOptions<C>) {
    this.#options = options;
  }

  /** Ends the dial: `connect` resolves with undefined. */
  cancel(): void {
    this.#cancelled = true;
    this.#cancelConnect();
  }

  /**
   * @returns undefined where it was cancelled.
   * @throws DialError where none could be connected.
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
    const { clock, timeoutMs, through } = this.#options;
    this.#deadlineMs = timeoutMs === 0 ? Infinity : clock.monotonicMs() + timeoutMs;
    const lookup = (host: string): Promise<readonly string[]> => this.#lookup(host);
    const found = await addressesOf(remote, lookup);
    if (through !== undefined) this.#source = await sourceOf(through, lookup);
    const hosts = reachable(found, this.#source);
    if (this.#isCancelled()) return undefined;
    const [host] = hosts;
    if (host === undefined) throw new Error('the name has no address');
    try {
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

  /** A method, since it changes while something is awaited. */
  #isCancelled(): boolean {
    return this.#cancelled;
  }

  async #lookup(host: string): Promise<readonly string[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    const stop = this.#limit(`looking up ${host}`, reject);
    this.#options.lookup(host).then(resolve, reject);
    try {
      return await promise;
    } finally {
      stop();
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
    this.#cancelConnect = () => {
      race.end(new Error('the dial was cancelled'));
    };
    try {
      return await race.winner;
    } finally {
      stop();
      this.#cancelConnect = () => undefined;
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
    this.#cancelConnect = () => {
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
      this.#cancelConnect = () => undefined;
    }
  }

  #target(address: string, port: number): Target {
    return { address, port, from: fromAddress(address, this.#source) };
  }

  /** Rejects by `reject` when the time for this remote is over; returns what calls that off. */
  #limit(what: string, reject: (error: Error) => void): () => void {
    const { clock, timeoutMs } = this.#options;
    if (timeoutMs === 0) return () => undefined;
    return clock.after(Math.max(0, this.#deadlineMs - clock.monotonicMs()), () => {
      reject(new DialTimeoutError(what, timeoutMs));
    });
  }
}
