import { Socket } from 'node:net';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { asError } from '../../lib/errors.ts';
import type { ConnectionContext } from '../connection/connection.ts';
import { ConnectionLifecycle, type LifecycleOwner } from '../connection/lifecycle.ts';
import type { IdleLimits } from '../limits/idle-sweep.ts';
import type { RelayPath } from '../limits/own-sockets.ts';
import type { Accepted, Target } from '../net/channel.ts';
import { reset } from '../net/reset.ts';
import { probe } from '../net/socket-stack.ts';
import { proxyHeader, type ProxyAddresses } from '../proxy-protocol/header.ts';
import { readProxyHeader } from '../proxy-protocol/socket-header.ts';
import type { Side } from '../stats/side.ts';
import type { RemotePool } from '../upstream/remote-pool.ts';
import { HandshakeError, ClientRefusedError } from './handshake-error.ts';
import { quiet, type Layers } from './layers.ts';
import { bare, connectRemotePeer, type Peer, type RemotePeer } from './remote-peer.ts';
import { StreamPipe } from './stream-pipe.ts';

/** The handshakes of an endpoint's transports. */
export type Handshakes = {
  /** With a client. */
  readonly accept: (raw: Socket) => Promise<Layers>;
  /** With a remote. */
  readonly request: (raw: Socket) => Promise<Layers>;
};

/** What a connection with transports needs of its endpoint. */
export type TransportConnectionContext = {
  /** What every connection of the endpoint needs. */
  readonly connection: ConnectionContext;
  readonly handshakes: Handshakes;
};

/**
 * One client's connection through TLS or WebSocket, on one side or both, from accept to settle.
 *
 *     PROXY header ──► handshake with the client ──► dial ──► PROXY header, handshake ──► copying ──► settled
 *
 * A remote is dialled only after the handshake with the client. A connection that is plain on both sides is a
 * `TcpConnection`.
 */
export class TransportConnection implements LifecycleOwner<RemotePeer> {
  countedAs: string | undefined;
  path: RelayPath = [];
  pool: RemotePool | undefined;
  readonly fromClient: StreamPipe;
  readonly fromUpstream: StreamPipe;
  readonly #port: number;
  readonly #config: EndpointConfig;
  readonly #context: ConnectionContext;
  readonly #handshakes: Handshakes;
  readonly #client: Peer;
  readonly #lifecycle: ConnectionLifecycle<RemotePeer>;
  /** What a PROXY header to the remote names. */
  #addresses: ProxyAddresses;
  #upstream: Peer | undefined;
  #hasRun = false;
  #stopTimer: () => void = () => undefined;

  /**
   * @param accepted  owned by the connection from now on; served from `start` on.
   * @param port      the listening port, as configured.
   * @param config    applies to the whole connection, even after a reload.
   */
  constructor(
    accepted: Accepted,
    port: number,
    config: EndpointConfig,
    { connection, handshakes }: TransportConnectionContext,
  ) {
    this.#port = port;
    this.#config = config;
    this.#context = connection;
    this.fromClient = new StreamPipe(connection.memory);
    this.fromUpstream = new StreamPipe(connection.memory);
    this.#handshakes = handshakes;
    this.#addresses = { source: accepted.remote, destination: accepted.local() };
    this.#client = bare(quiet(accepted.stream(config.network)));
    this.#lifecycle = new ConnectionLifecycle(this, accepted.remote, config, connection);
    this.#lifecycle.addPart(); // the run, which may still open the upstream's socket
  }

  start(): void {
    this.#own(this.#client.raw);
    void this.#run();
  }

  countTraffic(): void {
    this.#lifecycle.countTraffic();
  }

  cut(): void {
    this.#lifecycle.cut();
  }

  endIfOver(nowMs: number, limits: IdleLimits): void {
    for (const peer of [this.#client, this.#upstream])
      if (peer !== undefined) probe(peer.raw, topSocket(peer));
    this.#lifecycle.endIfIdle(nowMs, limits);
  }

  join({ peer: upstream }: RemotePeer): void {
    if (upstream === undefined) throw new Error('joined before it was connected');
    this.#upstream = upstream;
    this.#own(upstream.raw);
    this.#watchErrors('upstream', upstream.layers);
    const [client, remote] = [this.#client.layers.top, upstream.layers.top];
    this.fromUpstream.copy(remote, client);
    this.fromClient.copy(client, remote);
    endAfter(this.#client, upstream);
    endAfter(upstream, this.#client);
  }

  fail(side: Side, error: Error): void {
    this.#lifecycle.fail(side, error);
    this.#stopTimer();
    this.#endRun();
    for (const peer of [this.#client, this.#upstream])
      if (peer !== undefined) reset(peer.raw, peer.layers.all);
  }

  async #run(): Promise<void> {
    try {
      await this.#readProxyHeader();
      if (!(await this.#acceptClient())) return;
      this.#client.layers.top.read(0); // holds up to a buffer of what comes during the dial, and notices a reset
      await new Promise<void>((resolve) => {
        this.#lifecycle.dial(this.#port, (...to) => this.#connect(...to), resolve);
      });
    } catch (error) {
      this.fail('client', asError(error));
    } finally {
      this.#endRun();
    }
  }

  async #readProxyHeader(): Promise<void> {
    const { acceptProxy } = this.#config.network;
    if (acceptProxy === undefined) return;
    const addresses = await readProxyHeader(this.#client.raw, acceptProxy, this.#context.clock);
    if (addresses !== undefined) {
      this.#addresses = addresses;
      this.#lifecycle.client = addresses.source;
    }
    const refusal = await this.#context.admitSource(this, this.#lifecycle.client.address, this.#port);
    if (refusal !== undefined) throw refusal;
  }

  /** @returns whether the handshake succeeded; if not, the client gets its answer before its socket is closed. */
  async #acceptClient(): Promise<boolean> {
    const { raw } = this.#client;
    this.#limitHandshake();
    try {
      const layers = await this.#handshakes.accept(raw);
      this.#stopTimer();
      if (this.#lifecycle.hasFailed()) return false;
      this.#client.layers = layers;
      this.#watchErrors('client', layers);
      return true;
    } catch (error) {
      this.#lifecycle.fail('client', asError(error));
      if (!(error instanceof ClientRefusedError)) raw.destroySoon(); // an alert may be on its way
      return false;
    }
  }

  /** Also ends a refused client that does not close: only a successful handshake or its end stops the timer. */
  #limitHandshake(): void {
    const { tcpTimeoutMs } = this.#config.network;
    if (tcpTimeoutMs === 0) return;
    this.#stopTimer = this.#context.clock.after(tcpTimeoutMs, () => {
      this.fail('client', new HandshakeError(`the handshake timed out after ${String(tcpTimeoutMs)} ms`));
    });
  }

  #connect(target: Target, onConnected: (error: Error | undefined) => void): RemotePeer {
    const { sendProxyVersion: version } = this.#config.network;
    return connectRemotePeer(target, onConnected, {
      tcp: this.#context.tcp,
      settings: this.#config.network,
      header: version && proxyHeader(version, this.#addresses),
      request: this.#handshakes.request,
    });
  }

  #own(raw: Socket): void {
    raw.once('close', () => {
      this.#closePart();
    });
  }

  #watchErrors(side: Side, { all }: Layers): void {
    for (const layer of all) {
      layer.on('error', (error: Error) => {
        this.fail(side, error);
      });
      if (layer.errored) this.fail(side, layer.errored);
    }
  }

  /** Called by a failure, too, which does not wait for what the run awaits. */
  #endRun(): void {
    if (this.#hasRun) return;
    this.#hasRun = true;
    this.#closePart();
  }

  #closePart(): void {
    if (!this.#lifecycle.closePart()) return;
    this.#stopTimer();
    this.fromClient.release();
    this.fromUpstream.release();
    this.#lifecycle.settle();
  }
}

/** The highest layer that is a socket: with TLS its state, not that of the socket below, shows whether it is read. */
function topSocket({ raw, layers }: Peer): Socket {
  return layers.all.findLast((layer) => layer instanceof Socket) ?? raw;
}

/** Once `gone` has ended and its socket is closed, closes `other` after what is still to be sent to it. */
function endAfter(gone: Peer, other: Peer): void {
  const endOther = (): void => {
    if (!gone.raw.destroyed || !gone.layers.top.readableEnded) return;
    other.layers.top.end(() => {
      other.raw.destroySoon();
    });
  };
  gone.raw.once('close', endOther);
  gone.layers.top.once('end', endOther);
}
