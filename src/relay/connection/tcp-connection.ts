import type { EndpointConfig } from '../../config/relay-config.ts';
import type { IdleLimits } from '../limits/idle-sweep.ts';
import type { RelayPath } from '../limits/own-sockets.ts';
import type { Accepted, Channel, ChannelOwner } from '../net/channel.ts';
import { NoDataError } from '../net/no-data-error.ts';
import { untrustedSource, ProxyHeaderReader } from '../proxy-protocol/header-reader.ts';
import { proxyHeader, type ProxyAddresses } from '../proxy-protocol/header.ts';
import type { Side } from '../stats/side.ts';
import type { RemotePool } from '../upstream/remote-pool.ts';
import { ChannelPipe } from './channel-pipe.ts';
import type { Connection, ConnectionContext } from './connection.ts';
import { DeferredReset } from './deferred-reset.ts';
import { ConnectionLifecycle, type LifecycleOwner } from './lifecycle.ts';

/**
 * One client's connection, plain TCP on both sides: it owns the client's channel, dials the upstream and copies both
 * ways.
 *
 *     dialling ──► copying ──► settled      A peer that ends closes only the direction it wrote;
 *         └──────── failed ──────┘          a reset is passed on as a reset.
 */
class TcpConnection implements LifecycleOwner<Channel>, ChannelOwner {
  countedAs: string | undefined;
  path: RelayPath = [];
  pool: RemotePool | undefined;
  readonly fromClient: ChannelPipe;
  readonly fromUpstream: ChannelPipe;
  readonly #port: number;
  readonly #config: EndpointConfig;
  readonly #context: ConnectionContext;
  readonly #client: Channel;
  /** What was read of the client before. */
  #received: Uint8Array | undefined;
  readonly #lifecycle: ConnectionLifecycle<Channel>;
  /** What a PROXY header to the remote names. */
  #addresses: ProxyAddresses | undefined;
  #headerReader: ProxyHeaderReader | undefined;
  #upstream: Channel | undefined;
  /** Of the side that did not fail. */
  #deferredReset: DeferredReset | undefined;

  /**
   * @param accepted  owned by the connection from now on; served from `start` on.
   * @param port      the listening port, as configured.
   * @param config    applies to the whole connection, even after a reload.
   */
  constructor(accepted: Accepted, port: number, config: EndpointConfig, context: ConnectionContext) {
    this.#port = port;
    this.#config = config;
    this.#context = context;
    this.fromClient = new ChannelPipe(context.memory);
    this.fromUpstream = new ChannelPipe(context.memory);
    if (config.network.sendProxyVersion !== undefined) {
      this.#addresses = { source: accepted.remote, destination: accepted.local() };
    }
    this.#received = accepted.received;
    this.#client = accepted.channel();
    this.#lifecycle = new ConnectionLifecycle(this, accepted.remote, config, context);
  }

  start(): void {
    const { network } = this.#config;
    const { address } = this.#lifecycle.client;
    this.#headerReader = this.#proxyHeaderReader();
    const reader = this.#headerReader ?? this.fromClient;
    this.#client.open(reader, this, network);
    const untrusted = network.acceptProxy && untrustedSource(network.acceptProxy, address);
    if (untrusted !== undefined) this.#headerReader?.fail(untrusted);
    const received = this.#received;
    this.#received = undefined; // it may be large, and the connection may last
    if (received === undefined || reader.take(received)) this.#client.resume();
    if (this.#headerReader === undefined) this.#dial();
  }

  countTraffic(): void {
    this.#lifecycle.countTraffic();
  }

  cut(): void {
    this.#lifecycle.cut();
  }

  endIfOver(nowMs: number, limits: IdleLimits): void {
    this.#client.probe();
    this.#upstream?.probe();
    this.#lifecycle.endIfIdle(nowMs, limits);
  }

  join(upstream: Channel): void {
    this.#upstream = upstream;
    upstream.open(this.fromUpstream, this, this.#config.network);
    this.fromUpstream.writeTo(this.#client);
    if (this.fromClient.writeTo(upstream, this.#header())) this.#client.resume();
    upstream.resume();
  }

  /** Resets both sides: the one that did not fail once it has what the other one sent before. */
  fail(side: Side, error: Error): void {
    const peer = this.#lifecycle.fail(side, error) ? this.#peerOf(side) : undefined;
    for (const channel of [this.#client, this.#upstream]) if (channel !== peer) channel?.reset();
    if (peer !== undefined) this.#deferredReset = new DeferredReset(peer, this.#context.clock);
  }

  onDrained(channel: Channel): void {
    if (channel === this.#client) {
      this.fromUpstream.drained();
      this.#upstream?.resume();
    } else {
      this.fromClient.drained();
      this.#client.resume();
    }
  }

  onFailed(channel: Channel, error: Error): void {
    const isClient = channel === this.#client;
    const isUnused = isClient && this.#headerReader?.isUntouched === true;
    this.fail(isClient ? 'client' : 'upstream', isUnused ? new NoDataError() : error);
  }

  onClosed(channel: Channel): void {
    if (channel === this.#client) this.#headerReader?.close();
    if (this.#lifecycle.closePart()) this.#settle();
  }

  /** The remote is dialled only after the PROXY header was read, since the header may decide which remote. */
  #proxyHeaderReader(): ProxyHeaderReader | undefined {
    const { acceptProxy } = this.#config.network;
    if (acceptProxy === undefined) return undefined;
    return new ProxyHeaderReader(this.fromClient, acceptProxy, this.#context.clock, {
      onHeader: (addresses) => {
        if (addresses !== undefined) {
          this.#addresses = addresses;
          this.#lifecycle.client = addresses.source;
        }
        void this.#admit();
      },
      onError: (error) => {
        this.fail('client', error);
      },
    });
  }

  /** Dials if the client that the PROXY header names may be served. */
  async #admit(): Promise<void> {
    const refusal = await this.#context.admitSource(this, this.#lifecycle.client.address, this.#port);
    if (refusal === undefined) this.#dial();
    else this.fail('client', refusal);
  }

  #dial(): void {
    this.#lifecycle.dial(this.#port, this.#context.tcp.connect);
  }

  #header(): Buffer | undefined {
    const { sendProxyVersion } = this.#config.network;
    if (sendProxyVersion === undefined || this.#addresses === undefined) return undefined;
    return proxyHeader(sendProxyVersion, this.#addresses);
  }

  /** The other side's channel, if something that `side` sent may still be on its way there. */
  #peerOf(side: Side): Channel | undefined {
    if (side === 'client' && this.fromClient.bytes > 0) return this.#upstream;
    return side === 'upstream' && this.fromUpstream.bytes > 0 ? this.#client : undefined;
  }

  #settle(): void {
    this.#deferredReset?.end();
    this.fromClient.release();
    this.fromUpstream.release();
    this.#lifecycle.settle();
  }
}

/** Serves clients of endpoints that are plain TCP on both sides. */
export function serveTcp(
  accepted: Accepted,
  port: number,
  config: EndpointConfig,
  context: ConnectionContext,
): Connection {
  return new TcpConnection(accepted, port, config, context);
}
