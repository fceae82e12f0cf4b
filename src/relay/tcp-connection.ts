import type { EndpointConfig } from '../config/relay-config.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, RealmError } from '../lib/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Accepted, Address, Channel, ChannelOwner, TcpStack } from './channel.ts';
import { clientIp, clientText } from './client-address.ts';
import type { DescriptorBudget } from './descriptor-budget.ts';
import { Dial, DialError, type Dialled, type Lookup } from './dial.ts';
import { Flow } from './flow.ts';
import type { IdleLimits } from './idle-sweep.ts';
import type { RecentErrors } from './recent-errors.ts';
import type { Remote } from './remote.ts';
import type { Side } from './side.ts';
import { isTrusted, ProxyGate } from './proxy-gate.ts';
import { proxyHeader, ProxyHeaderError, type ProxyAddresses } from './proxy-header.ts';

/** Neither side sent a byte for too long. */
class IdleError extends RealmError {
  readonly code = 'REALM_CONNECTION_IDLE';

  constructor(idleMs: number) {
    super(`no byte either way for ${String(Math.round(idleMs / 1000))} s`);
  }
}

/** What connections need of their endpoint. */
export type ConnectionContext = {
  /** The remotes of a listening port, in the order in which to try them for a client. */
  readonly order: (port: number, clientIp: string) => readonly Remote[];
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly budget: DescriptorBudget;
  readonly tcp: TcpStack;
  readonly log: Logger;
  readonly errors: RecentErrors;
  /** Told once, when both sides are closed. */
  readonly onSettled: (connection: TcpConnection, failure: Side | undefined) => void;
};

/**
 * One client's connection, from accept to settle: it owns the client's channel, dials the upstream, copies
 * both ways and writes one log line at its end.
 *
 *     dialling ──► copying ──► settled      A peer that ends closes only the direction it wrote;
 *         └──────── failed ──────┘          a reset is passed on as a reset.
 */
export class TcpConnection implements ChannelOwner {
  readonly fromClient = new Flow();
  readonly fromUpstream = new Flow();
  readonly #port: number;
  readonly #config: EndpointConfig;
  readonly #context: ConnectionContext;
  readonly #accepted: Accepted;
  readonly #client: Channel;
  readonly #startedMs: number;
  /** Who the client is: told by its PROXY header, if any. */
  #source: Address;
  /** What a PROXY header towards the remote tells. */
  #addresses: ProxyAddresses | undefined;
  #gate: ProxyGate | undefined;
  #dial: Dial | undefined;
  #upstream: Channel | undefined;
  #remote: Remote | undefined;
  #upstreamText = '';
  #open = 1;
  /** Bytes at the last look, and since when it has been as many. */
  #quietBytes = 0;
  #quietSinceMs: number;
  #failure: { readonly error: Error; readonly side: Side } | undefined;

  /**
   * @param accepted  owned by the connection from now on; served from `start` on.
   * @param port      the listening port, as configured.
   * @param config    holds for the whole connection.
   */
  constructor(accepted: Accepted, port: number, config: EndpointConfig, context: ConnectionContext) {
    this.#port = port;
    this.#config = config;
    this.#context = context;
    this.#accepted = accepted;
    this.#source = accepted.remote;
    this.#client = accepted.channel();
    this.#startedMs = this.#quietSinceMs = context.clock.monotonicMs();
  }

  /** Serves the client; it may be settled when this returns. */
  start(): void {
    const { network } = this.#config;
    const { remote } = this.#accepted;
    if (network.sendProxyVersion !== undefined) {
      this.#addresses = { source: remote, destination: this.#accepted.local() };
    }
    this.#gate = this.#proxyGate();
    this.#client.open(this.#gate ?? this.fromClient, this, network);
    this.#client.resume();
    if (this.#gate === undefined) void this.#connect();
    else if (network.acceptProxy !== undefined && !isTrusted(network.acceptProxy, remote.address)) {
      this.#gate.fail(
        new ProxyHeaderError('PROXY headers of this client are not trusted: see accept_proxy_trusted'),
      );
    }
  }

  /** Resets both sides at once: the relay's own decision. */
  cut(): void {
    this.#fail('relay', new Error('cut by the relay'));
  }

  /** Ends it where no byte has come for longer than its limit, while reading is paused, too. */
  endIfIdle(nowMs: number, { idleMs, halfClosedMs }: IdleLimits): void {
    const bytes = this.fromClient.bytes + this.fromUpstream.bytes;
    if (bytes !== this.#quietBytes) [this.#quietBytes, this.#quietSinceMs] = [bytes, nowMs];
    const isHalfClosed = this.fromClient.hasEnded || this.fromUpstream.hasEnded;
    const limitMs = isHalfClosed && halfClosedMs > 0 ? halfClosedMs : idleMs;
    const quietMs = nowMs - this.#quietSinceMs;
    if (limitMs > 0 && quietMs >= limitMs) this.#fail('relay', new IdleError(quietMs));
  }

  onDrained(channel: Channel): void {
    if (channel === this.#client) this.#upstream?.resume();
    else this.#client.resume();
  }

  onFailed(channel: Channel, error: Error): void {
    this.#fail(channel === this.#client ? 'client' : 'upstream', error);
  }

  onClosed(channel: Channel): void {
    if (channel === this.#client) this.#gate?.close();
    this.#open -= 1;
    if (this.#open === 0) this.#settle();
  }

  /** The remote is dialled only once the header is there: it may decide which remote. */
  #proxyGate(): ProxyGate | undefined {
    const { acceptProxy } = this.#config.network;
    if (acceptProxy === undefined) return undefined;
    return new ProxyGate(this.fromClient, acceptProxy, this.#context.clock, {
      onHeader: (addresses) => {
        if (addresses !== undefined) {
          this.#addresses = addresses;
          this.#source = addresses.source;
        }
        void this.#connect();
      },
      onError: (error) => {
        this.#fail('client', error);
      },
    });
  }

  async #connect(): Promise<void> {
    const { order, log } = this.#context;
    this.#dial = new Dial({
      ...this.#context,
      timeoutMs: this.#config.network.tcpTimeoutMs,
      through: this.#config.through,
      onFailedTry: ({ text: upstream }, err) => {
        log.warn({ ...this.#names(), upstream, err }, 'remote failed, trying the next');
      },
    });
    try {
      const dialled = await this.#dial.connect(order(this.#port, clientIp(this.#source.address)));
      if (dialled === undefined) return;
      if (this.#failure === undefined) this.#join(dialled);
      else {
        dialled.channel.close();
        dialled.remote.leave();
      }
    } catch (error) {
      if (error instanceof DialError) this.#upstreamText = error.upstream;
      this.#fail('upstream', asError(error));
    } finally {
      this.#dial = undefined;
    }
  }

  #join({ channel: upstream, remote }: Dialled<Remote>): void {
    this.#upstream = upstream;
    this.#remote = remote;
    this.#upstreamText = remote.text;
    this.#open += 1;
    upstream.open(this.fromUpstream, this, this.#config.network);
    this.fromUpstream.writeTo(this.#client);
    if (this.fromClient.writeTo(upstream, this.#header())) this.#client.resume();
    upstream.resume();
  }

  #header(): Buffer | undefined {
    const { sendProxyVersion } = this.#config.network;
    if (sendProxyVersion === undefined || this.#addresses === undefined) return undefined;
    return proxyHeader(sendProxyVersion, this.#addresses);
  }

  #fail(side: Side, error: Error): void {
    this.#failure ??= { side, error };
    this.#dial?.cancel();
    this.#client.reset();
    this.#upstream?.reset();
  }

  #settle(): void {
    const { log, clock, onSettled } = this.#context;
    this.#remote?.leave();
    this.fromClient.release();
    this.fromUpstream.release();
    if (this.#failure !== undefined || log.isLevelEnabled('info')) {
      const fields = {
        ...this.#names(),
        upstream: this.#upstreamText,
        fromClientBytes: this.fromClient.bytes,
        fromUpstreamBytes: this.fromUpstream.bytes,
        durationMs: Math.round(clock.monotonicMs() - this.#startedMs),
      };
      if (this.#failure === undefined) log.info(fields, 'connection closed');
      else log.warn({ ...fields, side: this.#failure.side, err: this.#failure.error }, 'connection failed');
    }
    this.#rememberFailure();
    onSettled(this, this.#failure?.side);
  }

  /** Each remote remembers its failed dials by itself. */
  #rememberFailure(): void {
    if (this.#failure === undefined || this.#failure.error instanceof DialError) return;
    const { errors } = this.#context;
    const { side } = this.#failure;
    errors.add({
      ...this.#failure,
      endpoint: this.#config.name,
      ...(side === 'upstream' && { upstream: this.#upstreamText }),
    });
  }

  #names(): { endpoint: string; client: string } {
    const { address, port } = this.#source;
    return { endpoint: this.#config.name, client: clientText(address, port) };
  }
}
