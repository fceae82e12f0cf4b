import type { EndpointConfig } from '../../config/relay-config.ts';
import { clientIp, clientText } from '../../lib/client-address.ts';
import { asError, errorCode, RealmError } from '../../lib/errors.ts';
import { ClientLimitError } from '../limits/client-limit.ts';
import type { IdleLimits } from '../limits/idle-sweep.ts';
import { SourceError } from '../limits/source-filter.ts';
import type { OwnSocket } from '../limits/own-sockets.ts';
import type { Address, Target } from '../net/channel.ts';
import { NoDataError } from '../net/no-data-error.ts';
import type { Side } from '../stats/side.ts';
import { BackendRefusedError } from '../upstream/backends.ts';
import { Dial, DialError, type Dialled } from '../upstream/dial.ts';
import type { Connection, ConnectionContext, ConnectionRemote } from './connection.ts';

/** Neither side sent a byte for too long. */
class IdleError extends RealmError {
  readonly code = 'REALM_CONNECTION_IDLE';

  constructor(quietMs: number, isHalfClosed: boolean) {
    const seconds = String(Math.round(quietMs / 1000));
    super(isHalfClosed ? `idle for ${seconds} s after one side ended` : `idle for ${seconds} s`);
  }
}

const none: readonly never[] = [];

/** Grows with each byte, and when a side ends: idle time counts from there. */
function progress({ fromClient, fromUpstream }: Connection): number {
  const ended = Number(fromClient.hasEnded) + Number(fromUpstream.hasEnded);
  return fromClient.bytes + fromUpstream.bytes + ended;
}

/** The connection that a lifecycle belongs to; it owns the sockets, of type `C` towards the upstream. */
export type LifecycleOwner<C> = Connection & {
  /** Takes over a connected upstream. */
  readonly join: (upstream: C) => void;
  /** Resets both sides and reports the failure to the lifecycle. */
  readonly fail: (side: Side, error: Error) => void;
};

/** A socket towards a remote, connected or about to be: `close` ends it without a reset, `reset` with one. */
type RemoteSocket = OwnSocket & { readonly close: () => void; readonly reset: () => void };

/** Connects to an address of a remote, handshake included, as `TcpStack.connect` does. */
export type Connect<C> = (target: Target, onConnected: (error: Error | undefined) => void) => C;

/**
 * What all connections have in common, whatever carries their bytes: the client and since when it is connected, the
 * dial and its remote, how long the connection has been idle, why it failed, and its end.
 *
 * It counts the parts of a connection, such as its sockets. Once the last part has closed, the owner frees what it
 * holds and calls `settle`.
 */
export class ConnectionLifecycle<C extends RemoteSocket> {
  /** The client: the one that its PROXY header names, if any, else the peer. */
  client: Address;
  readonly #owner: LifecycleOwner<C>;
  readonly #config: EndpointConfig;
  readonly #context: ConnectionContext;
  readonly #startedMs: number;
  #dial: Dial<C, ConnectionRemote> | undefined;
  #hasDialled = false;
  /** Its socket towards a remote: the latest connection attempt, then the one that is connected. */
  #socket: C | undefined;
  /** Attempts that were begun before it and still run. */
  #earlierSockets: readonly C[] = none;
  #remote: ConnectionRemote | undefined;
  /** The last remote dialled, as configured; '' before that. */
  #upstream = '';
  /** Bytes that its remote has counted. */
  #countedFromClient = 0;
  #countedFromUpstream = 0;
  #parts = 1;
  /** Progress at the last idle check, and since when it has not changed. */
  #quietProgress = 0;
  #quietSinceMs: number;
  #failure: { readonly side: Side; readonly error: Error } | undefined;

  /** One part is open: the client's socket. */
  constructor(owner: LifecycleOwner<C>, client: Address, config: EndpointConfig, context: ConnectionContext) {
    this.#owner = owner;
    this.client = client;
    this.#config = config;
    this.#context = context;
    this.#startedMs = this.#quietSinceMs = context.clock.monotonicMs();
  }

  /** A method, since it changes while something is awaited. */
  hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * Connects to a remote of the listening port `port` and hands it to `owner.join`, or reports to `owner.fail` that
   * none could be connected. A failure meanwhile ends the dial.
   *
   * @param onEnd  called once, when all of that is done, possibly before this returns.
   */
  dial(port: number, connect: Connect<C>, onEnd?: () => void): void {
    if (this.hasFailed()) {
      onEnd?.();
      return;
    }
    this.#hasDialled = true;
    const startedMs = this.#context.clock.monotonicMs();
    const dial = this.#newDial((target, onConnected) => {
      const socket = connect(target, onConnected);
      if (this.#socket !== undefined) this.#earlierSockets = [...this.#earlierSockets, this.#socket];
      this.#socket = socket;
      this.#context.ownSockets.opened(socket, this.#owner.path, target);
      return socket;
    });
    this.#dial = dial;
    // Without a promise, which each connection would leave as garbage
    dial.connect(this.#context.order(port, clientIp(this.client.address), this.#owner), (outcome) => {
      this.#dial = undefined;
      if (outcome === undefined) this.#keepSocket(undefined);
      else if (outcome instanceof DialError) this.#failDial(outcome);
      else this.#join(outcome, startedMs);
      onEnd?.();
    });
  }

  #failDial(error: DialError): void {
    this.#keepSocket(undefined);
    this.#upstream = error.upstream;
    this.#owner.fail('upstream', error);
  }

  #join({ channel, remote }: Dialled<C, ConnectionRemote>, startedMs: number): void {
    this.#keepSocket(channel);
    this.#remote = remote;
    this.#upstream = remote.text;
    this.#context.onDialled(this.#context.clock.monotonicMs() - startedMs);
    this.addPart();
    try {
      this.#owner.join(channel);
    } catch (error) {
      this.#owner.fail('upstream', asError(error)); // of this connection alone, whatever a transport throws
    }
  }

  /** The other sockets are closed. */
  #keepSocket(kept: C | undefined): void {
    const { ownSockets } = this.#context;
    if (this.#socket !== undefined && this.#socket !== kept) ownSockets.closed(this.#socket);
    this.#socket = kept;
    if (this.#earlierSockets.length === 0) return;
    for (const socket of this.#earlierSockets) if (socket !== kept) ownSockets.closed(socket);
    this.#earlierSockets = none;
  }

  /** Records why the connection fails and ends the dial. @returns whether it is the first failure: that one counts. */
  fail(side: Side, error: Error): boolean {
    const isFirst = !this.hasFailed();
    this.#failure ??= { side, error: this.#isUnused(side, error) ? new NoDataError() : error };
    // A remote may have accepted already: a FIN would tell it that the client had nothing to send
    if (this.#remote === undefined)
      for (const socket of [...this.#earlierSockets, this.#socket]) socket?.reset();
    this.#dial?.cancel();
    return isFirst;
  }

  /** Fails the connection because the relay decides so. */
  cut(): void {
    this.#owner.fail('relay', new Error('closed by the relay'));
  }

  /** Fails the connection if it has been idle for longer than the shorter of its limits. */
  endIfIdle(nowMs: number, { idleMs, halfClosedMs }: IdleLimits): void {
    const now = progress(this.#owner);
    if (now !== this.#quietProgress) [this.#quietProgress, this.#quietSinceMs] = [now, nowMs];
    const isHalfClosed = this.#owner.fromClient.hasEnded || this.#owner.fromUpstream.hasEnded;
    const limitsMs = [idleMs, isHalfClosed ? halfClosedMs : 0].filter((ms) => ms > 0);
    const quietMs = nowMs - this.#quietSinceMs;
    if (quietMs >= Math.min(...limitsMs)) this.#owner.fail('relay', new IdleError(quietMs, isHalfClosed));
  }

  /** Another part is open: a socket, or work that may still open one. */
  addPart(): void {
    this.#parts += 1;
  }

  /** A part has closed. @returns whether it was the last one. */
  closePart(): boolean {
    this.#parts -= 1;
    return this.#parts === 0;
  }

  /** Counts the bytes since the last call as traffic of the remote; before it is connected, there is none to count. */
  countTraffic(): void {
    if (this.#remote === undefined) return;
    const { bytes: fromClient } = this.#owner.fromClient;
    const { bytes: fromUpstream } = this.#owner.fromUpstream;
    this.#remote.transferred(fromClient - this.#countedFromClient, fromUpstream - this.#countedFromUpstream);
    this.#countedFromClient = fromClient;
    this.#countedFromUpstream = fromUpstream;
  }

  /** Ends the connection: writes its log line and reports it to the endpoint. To be called once, at the end. */
  settle(): void {
    const durationMs = this.#context.clock.monotonicMs() - this.#startedMs;
    this.countTraffic();
    this.#remote?.release();
    this.#keepSocket(undefined);
    this.#logEnd(durationMs);
    this.#context.onSettled(this.#owner, this.#endedBy(), durationMs);
  }

  /** Which side failed; a refused share is counted as such, and is no failure. */
  #endedBy(): Side | 'probe' | undefined {
    const { side, error } = this.#failure ?? {};
    if (error instanceof BackendRefusedError) return undefined;
    return error instanceof NoDataError ? 'probe' : side;
  }

  /** Load balancers end their checks by a reset, too; where clients are plain TCP, a remote may be dialled by then. */
  #isUnused(side: Side, error: Error): boolean {
    const { fromClient, fromUpstream } = this.#owner;
    const isReset = side === 'client' && errorCode(error) === 'ECONNRESET';
    if (!isReset || !this.#hasDialled || this.#config.listenTransport !== undefined) return false;
    return fromClient.bytes + fromUpstream.bytes === 0;
  }

  #newDial(connect: Connect<C>): Dial<C, ConnectionRemote> {
    const { clock, lookup, budget, warn } = this.#context;
    const { through, dialDevice: device, network, deniedDestinations: denied } = this.#config;
    return new Dial({
      clock,
      lookup,
      budget,
      connect,
      through,
      device,
      denied,
      mptcp: network.sendMptcp,
      timeoutMs: network.tcpTimeoutMs,
      onFailedTry: ({ text: upstream }, err) => {
        warn({ ...this.#names(), upstream, err }, 'remote failed, trying the next');
      },
    });
  }

  #logEnd(durationMs: number): void {
    const { log, warn } = this.#context;
    if (this.#failure === undefined && !log.isLevelEnabled('info')) return;
    const fields = {
      ...this.#names(),
      upstream: this.#upstream,
      fromClientBytes: this.#owner.fromClient.bytes,
      fromUpstreamBytes: this.#owner.fromUpstream.bytes,
      durationMs: Math.round(durationMs),
    };
    if (this.#failure === undefined) {
      log.info(fields, 'connection closed');
      return;
    }
    const { side, error } = this.#failure;
    if (error instanceof BackendRefusedError) return;
    if (error instanceof NoDataError) {
      log.debug(fields, 'connection closed without data');
      return;
    }
    warn({ ...fields, side, err: error }, 'connection failed');
    this.#remember(side, error);
  }

  /** A remote remembers its failed dials, and the limits the clients that they turned away. */
  #remember(side: Side, error: Error): void {
    if ([DialError, SourceError, ClientLimitError].some((known) => error instanceof known)) return;
    const upstream = side === 'upstream' ? { upstream: this.#upstream } : {};
    this.#context.errors.add({ endpoint: this.#config.name, side, error, ...upstream });
  }

  /** What every log line about the connection begins with. */
  #names(): { endpoint: string; client: string } {
    const { address, port } = this.client;
    return { endpoint: this.#config.name, client: clientText(address, port) };
  }
}
