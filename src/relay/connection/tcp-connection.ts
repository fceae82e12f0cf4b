import type { EndpointConfig } from '../../config/relay-config.ts';
import { asError } from '../../lib/errors.ts';
import { SourceError } from '../limits/source-filter.ts';
import type { Accepted, Address, Channel, ChannelOwner } from '../net/channel.ts';
import { clientIp } from '../../lib/client-address.ts';
import {
  idleError,
  namesOf,
  logEnd,
  progress,
  type Connection,
  type ConnectionContext,
  type ConnectionFailure,
} from './connection.ts';
import { Dial, DialError, type Dialled } from '../upstream/dial.ts';
import { ChannelPipe } from './channel-pipe.ts';
import type { IdleLimits } from '../limits/idle-sweep.ts';
import { DeferredReset } from './deferred-reset.ts';
import { untrustedSource, ProxyHeaderReader } from '../proxy-protocol/header-reader.ts';
import { proxyHeader, type ProxyAddresses } from '../proxy-protocol/header.ts';
import type { Remote } from '../upstream/remote.ts';
import type { Side } from '../stats/side.ts';

/**
 * One client's connection, from accept to settle: it owns the client's channel, dials the upstream, copies
 * both ways and writes one log line at its end.
 *
 *     dialling ──► copying ──► settled      A peer that ends closes only the direction it wrote;
 *         └──────── failed ──────┘          a reset is passed on as a reset.
 */
class TcpConnection implements Connection, ChannelOwner {
  readonly fromClient = new ChannelPipe();
  readonly fromUpstream = new ChannelPipe();
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
  #headerReader: ProxyHeaderReader | undefined;
  #dial: Dial<Channel> | undefined;
  #upstream: Channel | undefined;
  #remote: Remote | undefined;
  #upstreamText = '';
  #open = 1;
  /** Progress at the last look, and since when there has been no more. */
  #quietProgress = 0;
  #quietSinceMs: number;
  #failure: ConnectionFailure | undefined;
  /** Of the side that did not fail. */
  #deferredReset: DeferredReset | undefined;

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

  start(): void {
    const { network } = this.#config;
    const { remote } = this.#accepted;
    if (network.sendProxyVersion !== undefined) {
      this.#addresses = { source: remote, destination: this.#accepted.local() };
    }
    this.#headerReader = this.#proxyHeaderReader();
    this.#client.open(this.#headerReader ?? this.fromClient, this, network);
    this.#client.resume();
    if (this.#headerReader === undefined) void this.#connect();
    const untrusted = network.acceptProxy && untrustedSource(network.acceptProxy, remote.address);
    if (untrusted !== undefined) this.#headerReader?.fail(untrusted);
  }

  cut(): void {
    this.#fail('relay', new Error('cut by the relay'));
  }

  endIfIdle(nowMs: number, limits: IdleLimits): void {
    const now = progress(this.fromClient, this.fromUpstream);
    if (now !== this.#quietProgress) [this.#quietProgress, this.#quietSinceMs] = [now, nowMs];
    const isHalfClosed = this.fromClient.hasEnded || this.fromUpstream.hasEnded;
    const error = idleError(nowMs - this.#quietSinceMs, isHalfClosed, limits);
    if (error !== undefined) this.#fail('relay', error);
  }

  onDrained(channel: Channel): void {
    if (channel === this.#client) this.#upstream?.resume();
    else this.#client.resume();
  }

  onFailed(channel: Channel, error: Error): void {
    this.#fail(channel === this.#client ? 'client' : 'upstream', error);
  }

  onClosed(channel: Channel): void {
    if (channel === this.#client) this.#headerReader?.close();
    this.#open -= 1;
    if (this.#open === 0) this.#settle();
  }

  /** The remote is dialled only once the header is there: it may decide which remote. */
  #proxyHeaderReader(): ProxyHeaderReader | undefined {
    const { acceptProxy } = this.#config.network;
    if (acceptProxy === undefined) return undefined;
    return new ProxyHeaderReader(this.fromClient, acceptProxy, this.#context.clock, {
      onHeader: (addresses) => {
        if (addresses !== undefined) {
          this.#addresses = addresses;
          this.#source = addresses.source;
        }
        if (this.#context.allowsSource(this.#source.address)) void this.#connect();
        else this.#fail('client', new SourceError());
      },
      onError: (error) => {
        this.#fail('client', error);
      },
    });
  }

  async #connect(): Promise<void> {
    const { order, tcp, warn } = this.#context;
    this.#dial = new Dial({
      ...this.#context,
      connect: tcp.connect,
      timeoutMs: this.#config.network.tcpTimeoutMs,
      through: this.#config.through,
      onFailedTry: ({ text: upstream }, err) => {
        warn(
          { ...namesOf(this.#config.name, this.#source), upstream, err },
          'remote failed, trying the next',
        );
      },
    });
    try {
      const dialled = await this.#dial.connect(order(this.#port, clientIp(this.#source.address)));
      if (dialled === undefined) return;
      if (this.#failure === undefined) this.#join(dialled);
      else {
        dialled.channel.close();
        dialled.remote.release();
      }
    } catch (error) {
      if (error instanceof DialError) this.#upstreamText = error.upstream;
      this.#fail('upstream', asError(error));
    } finally {
      this.#dial = undefined;
    }
  }

  #join({ channel: upstream, remote }: Dialled<Channel, Remote>): void {
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

  /** Resets both sides: the one that did not fail once it has what the other one sent before. */
  #fail(side: Side, error: Error): void {
    const peer = this.#failure === undefined ? this.#peerOf(side) : undefined;
    this.#failure ??= { side, error };
    this.#dial?.cancel();
    for (const channel of [this.#client, this.#upstream]) if (channel !== peer) channel?.reset();
    if (peer !== undefined) this.#deferredReset = new DeferredReset(peer, this.#context.clock);
  }

  /** Whom the relay has something for that came from `side`. */
  #peerOf(side: Side): Channel | undefined {
    if (side === 'client' && this.fromClient.bytes > 0) return this.#upstream;
    return side === 'upstream' && this.fromUpstream.bytes > 0 ? this.#client : undefined;
  }

  #settle(): void {
    this.#deferredReset?.end();
    this.#remote?.release();
    this.fromClient.release();
    this.fromUpstream.release();
    logEnd(this.#config, this.#context, {
      client: this.#source,
      upstream: this.#upstreamText,
      fromClientBytes: this.fromClient.bytes,
      fromUpstreamBytes: this.fromUpstream.bytes,
      startedMs: this.#startedMs,
      failure: this.#failure,
    });
    this.#context.onSettled(this, this.#failure?.side);
  }
}

/** Serves clients of endpoints that are plain TCP on both sides. */
export function serveTcp(...of: ConstructorParameters<typeof TcpConnection>): Connection {
  return new TcpConnection(...of);
}
