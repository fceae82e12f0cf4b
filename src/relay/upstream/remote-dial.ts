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

/** Receives what becomes of the dials of remotes. */
export type RemoteDialOwner<C extends ConnectionAttempt, T extends SocketAddress> = {
  /** Called once, unless the dial is given up before: with the connection, or the error of the last address. */
  readonly onEnd: (dial: RemoteDial<C, T>, outcome: C | Error) => void;
  /** The remote has been silent for 250 ms and has no further address to try. */
  readonly onSilent: (dial: RemoteDial<C, T>) => void;
};

/** Connects to one remote, whose addresses race. Owns its connection attempts until one succeeds. */
export class RemoteDial<C extends ConnectionAttempt, T extends SocketAddress = SocketAddress> {
  readonly remote: T;
  /** Whether `onSilent` was called. */
  wasSilent = false;
  readonly #options: RemoteDialOptions<C>;
  readonly #owner: RemoteDialOwner<C, T>;
  #watchesSilence = false;
  /** When the time for the remote is over; undefined until it begins. */
  #deadlineMs: number | undefined;
  #source: SourceAddress | undefined;
  #hasEnded = false;
  /** Ends the step that is in progress. */
  #cancelStep: () => void = nothing;
  #stopSilence: () => void = nothing;

  constructor(remote: T, options: RemoteDialOptions<C>, owner: RemoteDialOwner<C, T>) {
    this.remote = remote;
    this.#options = options;
    this.#owner = owner;
  }

  /** Gives the dial up. */
  end(): void {
    this.#hasEnded = true;
    this.#stopSilence();
    this.#cancelStep();
  }

  /** Calls `onSilent` in 250 ms, if that was asked for. */
  watchSilence(): void {
    this.#stopSilence();
    if (!this.#watchesSilence) return;
    this.#stopSilence = this.#options.clock.after(attemptDelayMs, () => {
      this.wasSilent = true;
      this.#owner.onSilent(this);
    });
  }

  /**
   * Begins, and with it the time for the remote. To be called once.
   *
   * @param watchesSilence  whether `onSilent` is to be called.
   */
  connect(watchesSilence: boolean): void {
    this.#watchesSilence = watchesSilence;
    this.watchSilence();
    const { through, denied } = this.#options;
    const { host, ip } = this.remote;
    // What most connections need is done without promises: they would be half of the garbage of a connection
    if (ip !== undefined && through === undefined && denied === undefined)
      this.#connectAddress(withZoneName(host));
    else void this.#lookUpAndConnect();
  }

  async #lookUpAndConnect(): Promise<void> {
    try {
      const hosts = await this.#hosts();
      if (this.#isGivenUp()) return;
      const [host] = hosts;
      if (host === undefined) throw new Error('the name has no address');
      if (hosts.length === 1) this.#connectAddress(host);
      else await this.#connectFirst(interleaved(hosts));
    } catch (error) {
      this.#settle(asError(error));
    }
  }

  #settle(outcome: C | Error): void {
    this.#stopSilence();
    if (!this.#hasEnded) this.#owner.onEnd(this, outcome);
    else if (!(outcome instanceof Error)) outcome.close();
  }

  /** The addresses of the remote that may be dialled, in the order in which to try them. */
  async #hosts(): Promise<readonly string[]> {
    const { through, denied } = this.#options;
    const lookup = (host: string): Promise<readonly string[]> => this.#lookup(host);
    const addresses = await addressesOf(this.remote, lookup);
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

  async #connectFirst(addresses: readonly string[]): Promise<void> {
    const { connect } = this.#options;
    const { host: name, port } = this.remote;
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
      this.#settle(await race.winner);
    } finally {
      stop();
      this.#cancelStep = nothing;
    }
  }

  #connectAddress(address: string): void {
    const { connect } = this.#options;
    const onTried = (error: Error | undefined): void => {
      stop();
      this.#cancelStep = nothing;
      if (error !== undefined) channel.close();
      this.#settle(error ?? channel);
    };
    const stop = this.#limit(`connecting to ${address}`, onTried);
    const channel = connect(this.#target(address, this.remote.port), onTried);
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
    const nowMs = clock.monotonicMs();
    this.#deadlineMs ??= nowMs + timeoutMs;
    return clock.after(Math.max(0, this.#deadlineMs - nowMs), () => {
      reject(new DialTimeoutError(what, timeoutMs));
    });
  }
}
