import { lookup as systemLookup } from 'node:dns/promises';
import { Socket } from 'node:net';
import type { SocketAddress } from '../config/address.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, RealmError } from '../lib/errors.ts';
import type { Reader } from './accepted-socket.ts';
import { reachable } from './through.ts';
import { withZoneName } from './zone.ts';

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

/** A name lookup or a connect took longer than `tcp_timeout`. */
class DialTimeoutError extends RealmError {
  readonly code = 'REALM_DIAL_TIMEOUT';

  constructor(what: string, timeoutMs: number) {
    super(`${what} took longer than ${String(timeoutMs)} ms`);
  }
}

/** Every address of a host name, in the order in which to try them. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** The machine's own lookup: the hosts file, then its name servers. */
export const systemAddresses: Lookup = async (host) => {
  const found = await systemLookup(host, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
};

/** What is dialled, and is told what came of it. */
export type DialTarget = SocketAddress & {
  /** As configured. */
  readonly text: string;
  /** A dial begins. */
  readonly enter: () => void;
  /** The dial failed, or the connection that came of it has ended. */
  readonly leave: () => void;
  readonly work: () => void;
  readonly fail: (error: Error) => void;
};

/** What a dial needs besides the remotes. */
export type DialOptions = {
  /** Limit of each step: a name lookup, a connect; 0 = none. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly lookup: Lookup;
  /** Source address; undefined = the system's choice. Addresses of the other family are not tried. */
  readonly through: string | undefined;
  /** What the sockets read into; absent = they are read as streams. */
  readonly reader?: Reader;
  /** What makes a connected socket a connection, within the time of the connect; absent = nothing more. */
  readonly handshake?: (socket: Socket) => Promise<void>;
  /** Told of each try that failed while another one follows. */
  readonly onFailedTry: (remote: DialTarget, error: Error) => void;
};

/** A connected socket and where it goes; the remote counts it until it is told to `leave`. */
export type Dialled<T extends DialTarget> = { readonly socket: Socket; readonly remote: T };

/**
 * Connects to the first of `remotes` that can be: all addresses of each in turn, one after the other.
 * Owns its sockets until one is connected.
 */
export class Dial {
  readonly #options: DialOptions;
  #socket: Socket | undefined;
  #cancelled = false;

  constructor(options: DialOptions) {
    this.#options = options;
  }

  /** Ends the dial: `connect` resolves with undefined. */
  cancel(): void {
    this.#cancelled = true;
    this.#socket?.destroy();
  }

  /**
   * @returns undefined where it was cancelled.
   * @throws DialError where none could be connected.
   */
  async connect<T extends DialTarget>(remotes: Iterable<T>): Promise<Dialled<T> | undefined> {
    let failed: { remote: T; error: Error } | undefined;
    for (const remote of remotes) {
      if (failed !== undefined) this.#options.onFailedTry(failed.remote, failed.error);
      try {
        const socket = await this.#try(remote);
        return socket && { socket, remote };
      } catch (error) {
        failed = { remote, error: asError(error) };
        remote.fail(failed.error);
      }
    }
    throw new DialError(failed?.remote.text ?? '', { cause: failed?.error });
  }

  async #try(remote: DialTarget): Promise<Socket | undefined> {
    remote.enter();
    let socket: Socket | undefined;
    try {
      socket = await this.#connectRemote(remote);
      if (socket !== undefined) remote.work();
      return socket;
    } finally {
      if (socket === undefined) remote.leave();
    }
  }

  async #connectRemote(remote: DialTarget): Promise<Socket | undefined> {
    const found = remote.ip === undefined ? await this.#lookup(remote.host) : [withZoneName(remote.host)];
    const hosts = reachable(found, this.#options.through);
    let last: Error | undefined;
    for (const host of hosts) {
      if (this.#isCancelled()) return undefined;
      try {
        const socket = await this.#connectAddress(host, remote.port);
        if (!this.#isCancelled()) return socket;
        socket.destroy();
      } catch (error) {
        last = asError(error);
      }
    }
    if (this.#isCancelled()) return undefined;
    throw last ?? new Error('the name has no address');
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

  async #connectAddress(host: string, port: number): Promise<Socket> {
    const { reader, handshake } = this.#options;
    const socket = new Socket({ ...(reader && { onread: reader }), allowHalfOpen: true });
    this.#socket = socket;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const stop = this.#limit(`connecting to ${host}${handshake ? ' with its handshake' : ''}`, reject);
    const onClose = (): void => {
      reject(new Error('the dial was cancelled'));
    };
    socket.once('error', reject).once('close', onClose);
    const { through: localAddress } = this.#options;
    const from = localAddress === undefined ? {} : { localAddress };
    socket.connect({ host, port, ...from, autoSelectFamily: false }, () => {
      if (handshake === undefined) resolve(undefined);
      else handshake(socket).then(resolve, reject);
    });
    try {
      await promise;
      socket.off('close', onClose);
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      stop();
      this.#socket = undefined;
    }
  }

  /** Rejects by `reject` when a step takes too long; returns what calls that off. */
  #limit(what: string, reject: (error: Error) => void): () => void {
    const { clock, timeoutMs } = this.#options;
    if (timeoutMs === 0) return () => undefined;
    return clock.after(timeoutMs, () => {
      reject(new DialTimeoutError(what, timeoutMs));
    });
  }
}
