import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { asError } from '../../lib/errors.ts';
import { SourceError } from '../limits/source-filter.ts';
import type { Accepted, Target } from '../net/channel.ts';
import { clientIp } from '../../lib/client-address.ts';
import {
  idleError,
  namesOf,
  logEnd,
  progress,
  type Connection,
  type ConnectionContext,
  type ConnectionFailure,
} from '../connection/connection.ts';
import { Dial, DialError, type Dialled } from '../upstream/dial.ts';
import type { IdleLimits } from '../limits/idle-sweep.ts';
import { proxyHeader, type ProxyAddresses } from '../proxy-protocol/header.ts';
import type { Remote } from '../upstream/remote.ts';
import { reset } from '../net/reset.ts';
import type { Side } from '../stats/side.ts';
import { connectSocket } from '../net/socket-stack.ts';
import { StreamPipe } from './stream-pipe.ts';
import { HandshakeError, ClientRefusedError } from './handshake-error.ts';
import { quiet, type Layers } from './layers.ts';
import { readProxyHeader } from '../proxy-protocol/socket-header.ts';

/** What a connection with transports needs of its endpoint. */
export type TransportConnectionContext = ConnectionContext & {
  /** Comes to terms with the client. */
  readonly accept: (raw: Socket) => Promise<Layers>;
  /** Comes to terms with a remote. */
  readonly request: (raw: Socket) => Promise<Layers>;
};

/** A side of a connection that has come to terms. */
type Peer = { readonly raw: Socket; readonly top: Duplex };

/** A remote's side while it is dialled, and then. */
type Dialling = { readonly raw: Socket; layers: Layers | undefined; readonly close: () => void };

/**
 * One client's connection through TLS or WebSocket, on one side or both, from accept to settle.
 *
 *     PROXY header ──► handshake with the client ──► dial ──► PROXY header, handshake ──► copying ──► settled
 *
 * A remote is dialled only for a client that has come to terms. What is plain on both sides is `TcpConnection`'s.
 */
export class TransportConnection implements Connection {
  readonly fromClient = new StreamPipe();
  readonly fromUpstream = new StreamPipe();
  readonly #port: number;
  readonly #config: EndpointConfig;
  readonly #context: TransportConnectionContext;
  readonly #raw: Socket;
  readonly #startedMs: number;
  readonly #dial: Dial<Dialling>;
  readonly #peerIp: string;
  #addresses: ProxyAddresses;
  #upstream: Dialled<Dialling, Remote> | undefined;
  #accepted: Layers | undefined;
  #upstreamText = '';
  /** What it consists of: the client's socket, the way to a remote, and then the upstream's socket. */
  #open = 2;
  #hasRun = false;
  #stopTimer: () => void = () => undefined;
  /** Progress at the last look, and since when there has been no more. */
  #quiet = { progress: 0, sinceMs: 0 };
  #failure: ConnectionFailure | undefined;

  /**
   * @param accepted  owned by the connection from now on; served from `start` on.
   * @param port      the listening port, as configured.
   * @param config    holds for the whole connection.
   */
  constructor(accepted: Accepted, port: number, config: EndpointConfig, context: TransportConnectionContext) {
    this.#port = port;
    this.#config = config;
    this.#context = context;
    this.#addresses = { source: accepted.remote, destination: accepted.local() };
    this.#peerIp = clientIp(accepted.remote.address);
    this.#raw = quiet(accepted.socket());
    this.#startedMs = this.#quiet.sinceMs = context.clock.monotonicMs();
    this.#dial = new Dial({
      ...context,
      timeoutMs: config.network.tcpTimeoutMs,
      through: config.through,
      connect: (target, onConnected) => this.#connectRemote(target, onConnected),
      onFailedTry: ({ text: upstream }, err) => {
        context.warn({ ...this.#names(), upstream, err }, 'remote failed, trying the next');
      },
    });
  }

  start(): void {
    this.#own(this.#raw);
    void this.#run();
  }

  cut(): void {
    this.#fail('relay', new Error('cut by the relay'));
  }

  endIfIdle(nowMs: number, limits: IdleLimits): void {
    const now = progress(this.fromClient, this.fromUpstream);
    if (now !== this.#quiet.progress) this.#quiet = { progress: now, sinceMs: nowMs };
    const isHalfClosed = this.fromClient.hasEnded || this.fromUpstream.hasEnded;
    const error = idleError(nowMs - this.#quiet.sinceMs, isHalfClosed, limits);
    if (error !== undefined) this.#fail('relay', error);
  }

  async #run(): Promise<void> {
    try {
      const ip = await this.#readProxyHeader();
      const client = await this.#handshake();
      if (client === undefined) return;
      await this.#connect(client, ip);
    } catch (error) {
      this.#fail('client', asError(error));
    } finally {
      this.#endRun();
    }
  }

  /** @returns the client's address, as a header tells it. */
  async #readProxyHeader(): Promise<string> {
    const { acceptProxy } = this.#config.network;
    if (acceptProxy === undefined) return this.#peerIp;
    const addresses = await readProxyHeader(this.#raw, acceptProxy, this.#context.clock);
    if (addresses !== undefined) this.#addresses = addresses;
    const ip = addresses === undefined ? this.#peerIp : clientIp(addresses.source.address);
    if (!this.#context.allowsSource(ip)) throw new SourceError();
    return ip;
  }

  /** @returns undefined where the client was refused: it is told before it is closed. */
  async #handshake(): Promise<Peer | undefined> {
    const { clock, accept } = this.#context;
    const { tcpTimeoutMs } = this.#config.network;
    const late = (): void => {
      this.#fail('client', new HandshakeError(`the handshake took longer than ${String(tcpTimeoutMs)} ms`));
    };
    if (tcpTimeoutMs > 0) this.#stopTimer = clock.after(tcpTimeoutMs, late);
    try {
      const layers = await accept(this.#raw);
      this.#stopTimer();
      if (this.#failure !== undefined) return undefined;
      this.#accepted = layers;
      this.#adopt('client', layers);
      return { raw: this.#raw, top: layers.top };
    } catch (error) {
      this.#failure ??= { side: 'client', error: asError(error) };
      if (!(error instanceof ClientRefusedError)) this.#raw.destroySoon(); // an alert may be on its way
      return undefined;
    }
  }

  async #connect(client: Peer, ip: string): Promise<void> {
    client.top.read(0); // what comes meanwhile is held, up to a buffer, and a reset is noticed
    try {
      const dialled = await this.#dial.connect(this.#context.order(this.#port, ip));
      if (dialled === undefined) return;
      if (this.#failure === undefined && dialled.channel.layers !== undefined) {
        this.#join(client, dialled, dialled.channel.layers);
      } else {
        dialled.channel.close();
        dialled.remote.release();
      }
    } catch (error) {
      if (error instanceof DialError) this.#upstreamText = error.upstream;
      this.#fail('upstream', asError(error));
    }
  }

  /** Connects, and comes to terms: what does neither is followed by the next. */
  #connectRemote(target: Target, onConnected: (error: Error | undefined) => void): Dialling {
    let tell = onConnected;
    const raw = quiet(
      connectSocket(target, (error) => {
        if (error !== undefined) tell(error);
        else
          void this.#comeToTerms(dialling)
            .catch(asError)
            .then((fault) => {
              tell(fault);
            });
      }),
    );
    const close = (): void => {
      tell = () => undefined;
      raw.destroy();
    };
    const dialling: Dialling = { raw, layers: undefined, close };
    return dialling;
  }

  async #comeToTerms(dialling: Dialling): Promise<undefined> {
    const { raw } = dialling;
    raw.setNoDelay(true);
    const { sendProxyVersion } = this.#config.network;
    if (sendProxyVersion !== undefined) raw.write(proxyHeader(sendProxyVersion, this.#addresses));
    dialling.layers = await this.#context.request(raw);
  }

  #join(client: Peer, dialled: Dialled<Dialling, Remote>, layers: Layers): void {
    const upstream: Peer = { raw: dialled.channel.raw, top: layers.top };
    this.#upstream = dialled;
    this.#upstreamText = dialled.remote.text;
    this.#open += 1;
    this.#own(upstream.raw);
    this.#adopt('upstream', layers);
    this.fromUpstream.copy(upstream.top, client.top);
    this.fromClient.copy(client.top, upstream.top);
    endAfter(client, upstream);
    endAfter(upstream, client);
  }

  #own(raw: Socket): void {
    const { tcpKeepaliveMs, tcpKeepaliveProbes } = this.#config.network;
    raw.setNoDelay(true);
    if (tcpKeepaliveMs > 0) raw.setKeepAlive(true, tcpKeepaliveMs, tcpKeepaliveMs, tcpKeepaliveProbes);
    raw.once('close', () => {
      this.#leave();
    });
  }

  #adopt(side: Side, { all }: Layers): void {
    for (const layer of all) {
      layer.on('error', (error: Error) => {
        this.#fail(side, error);
      });
      if (layer.errored) this.#fail(side, layer.errored);
    }
  }

  /** A failure does not wait for what the run awaits. */
  #endRun(): void {
    if (this.#hasRun) return;
    this.#hasRun = true;
    this.#leave();
  }

  #leave(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#settle();
  }

  #fail(side: Side, error: Error): void {
    this.#failure ??= { side, error };
    this.#stopTimer();
    this.#dial.cancel();
    this.#endRun();
    reset(this.#raw, this.#accepted?.all);
    const { raw, layers } = this.#upstream?.channel ?? {};
    if (raw !== undefined) reset(raw, layers?.all);
  }

  #settle(): void {
    this.#stopTimer();
    this.#upstream?.remote.release();
    logEnd(this.#config, this.#context, {
      client: this.#addresses.source,
      upstream: this.#upstreamText,
      fromClientBytes: this.fromClient.bytes,
      fromUpstreamBytes: this.fromUpstream.bytes,
      startedMs: this.#startedMs,
      failure: this.#failure,
    });
    this.#context.onSettled(this, this.#failure?.side);
  }

  #names(): { endpoint: string; client: string } {
    return namesOf(this.#config.name, this.#addresses.source);
  }
}

/** Where `gone` has ended and its socket is closed, nothing can be told to it: `other` is closed behind what it is sent. */
function endAfter(gone: Peer, other: Peer): void {
  const endOther = (): void => {
    if (!gone.raw.destroyed || !gone.top.readableEnded) return;
    other.top.end(() => {
      other.raw.destroySoon();
    });
  };
  gone.raw.once('close', endOther);
  gone.top.once('end', endOther);
}
