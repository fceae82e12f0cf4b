import type { SocketAddress } from '../../config/address.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError, RealmError } from '../../lib/errors.ts';
import { addressesOf, type Lookup } from '../dns/lookup.ts';
import { withZoneName } from '../dns/zone.ts';
import type { DescriptorAllowance, Target } from '../net/channel.ts';
import { permitted } from './denied-destinations.ts';
import { attemptDelayMs, HappyEyeballs, interleaved, type ConnectionAttempt } from './happy-eyeballs.ts';
import { fromAddress, reachable, type SourceAddress, sourceOf } from './source-address.ts';

const nothing = (): void => undefined;

/** A remote did not answer within `tcp_timeout`. */
class DialTimeoutError extends RealmError {
  readonly code = 'REALM_DIAL_TIMEOUT';

  /** @param what  the step that was not done in time. */
  constructor(what: string, timeoutMs: number) {
    super(`${what} timed out after ${String(timeoutMs)} ms`);
  }
}

/** What the dial of one remote needs. `C` is the connection that it makes. */
export type RemoteDialOptions<C extends ConnectionAttempt> = {
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
};

/** Receives the outcome of a dial: the connection, or the error of the last address. */
export type DialEnd<C> = (outcome: C | Error) => void;

/** Connects to one remote, whose addresses race. Owns its connection attempts until one succeeds. */
export class RemoteDial<C extends ConnectionAttempt> {
  readonly #remote: SocketAddress;
  readonly #options: RemoteDialOptions<C>;
  readonly #onSilent: (() => void) | undefined;
  readonly #deadlineMs: number;
  #source: SourceAddress | undefined;
  #hasEnded = false;
  /** Ends the step that is in progress. */
  #cancelStep: () => void = nothing;
  #stopSilence: () => void = nothing;

  /**
   * The time for the remote begins.
   *
   * @param onSilent  called once the remote has been silent for 250 ms and has no further address to try; undefined = that
   * makes no difference.
   */
  constructor(remote: SocketAddress, options: RemoteDialOptions<C>, onSilent: (() => void) | undefined) {
    const { clock, timeoutMs } = options;
    this.#remote = remote;
    this.#options = options;
    this.#onSilent = onSilent;
    this.#deadlineMs = timeoutMs === 0 ? Infinity : clock.monotonicMs() + timeoutMs;
  }

  /** Gives the dial up. */
  end(): void {
    this.#hasEnded = true;
    this.#stopSilence();
    this.#cancelStep();
  }

  /** Calls `onSilent` in 250 ms. */
  watchSilence(): void {
    this.#stopSilence();
    if (this.#onSilent !== undefined)
      this.#stopSilence = this.#options.clock.after(attemptDelayMs, this.#onSilent);
  }

  /** To be called once. Calls `onEnd` once, later, unless the dial is given up before. */
  connect(onEnd: DialEnd<C>): void {
    this.watchSilence();
    const { through, denied } = this.#options;
    const { host, ip } = this.#remote;
    // What most connections need is done without promises: they would be half of the garbage of a connection
    if (ip !== undefined && through === undefined && denied === undefined)
      this.#connectAddress(withZoneName(host), onEnd);
    else void this.#lookUpAndConnect(onEnd);
  }

  async #lookUpAndConnect(onEnd: DialEnd<C>): Promise<void> {
    try {
      const hosts = await this.#hosts();
      if (this.#isGivenUp()) return;
      const [host] = hosts;
      if (host === undefined) throw new Error('the name has no address');
      if (hosts.length === 1) this.#connectAddress(host, onEnd);
      else await this.#connectFirst(interleaved(hosts), onEnd);
    } catch (error) {
      this.#settle(asError(error), onEnd);
    }
  }

  #settle(outcome: C | Error, onEnd: DialEnd<C>): void {
    this.#stopSilence();
    if (!this.#hasEnded) onEnd(outcome);
    else if (!(outcome instanceof Error)) outcome.close();
  }

  /** The addresses of the remote that may be dialled, in the order in which to try them. */
  async #hosts(): Promise<readonly string[]> {
    const { through, denied } = this.#options;
    const lookup = (host: string): Promise<readonly string[]> => this.#lookup(host);
    const addresses = await addressesOf(this.#remote, lookup);
    if (through !== undefined) this.#source = await sourceOf(through, lookup);
    return reachable(permitted(addresses, denied), this.#source);
  }

  /** A method, because the compiler would assume that the field does not change across an `await`. */
  #isGivenUp(): boolean {
    return this.#hasEnded;
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
      const found = await promise;
      this.watchSilence();
      return found;
    } finally {
      stop();
      this.#cancelStep = nothing;
    }
  }

  async #connectFirst(addresses: readonly string[], onEnd: DialEnd<C>): Promise<void> {
    const { connect } = this.#options;
    const { host: name, port } = this.#remote;
    this.#stopSilence();
    const race = new HappyEyeballs(addresses, {
      ...this.#options,
      connect: (address, onConnected) => connect(this.#target(address, port), onConnected),
      onLastStarted: () => {
        this.watchSilence();
      },
    });
    const stop = this.#limit(`connecting to ${name}`, (error) => {
      race.end(error);
    });
    this.#cancelStep = () => {
      race.end(new Error('the dial was cancelled'));
    };
    try {
      this.#settle(await race.winner, onEnd);
    } finally {
      stop();
      this.#cancelStep = nothing;
    }
  }

  #connectAddress(address: string, onEnd: DialEnd<C>): void {
    const { connect } = this.#options;
    const stop = this.#limit(`connecting to ${address}`, (error) => {
      fail(error);
    });
    const channel = connect(this.#target(address, this.#remote.port), (error) => {
      if (error !== undefined) {
        fail(error);
        return;
      }
      stop();
      this.#cancelStep = nothing;
      this.#settle(channel, onEnd);
    });
    const fail = (error: Error): void => {
      stop();
      this.#cancelStep = nothing;
      channel.close();
      this.#settle(error, onEnd);
    };
    this.#cancelStep = () => {
      stop();
      channel.close();
    };
  }

  #target(address: string, port: number): Target {
    const { device, mptcp } = this.#options;
    const from = fromAddress(address, this.#source);
    return mptcp === true ? { address, port, from, device, mptcp } : { address, port, from, device };
  }

  /** Calls `reject` when the time for this remote is over. @returns cancels that. */
  #limit(what: string, reject: (error: Error) => void): () => void {
    const { clock, timeoutMs } = this.#options;
    if (timeoutMs === 0) return nothing;
    return clock.after(Math.max(0, this.#deadlineMs - clock.monotonicMs()), () => {
      reject(new DialTimeoutError(what, timeoutMs));
    });
  }
}
