import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { asError } from '../../lib/errors.ts';
import { clientIp, clientText } from '../client-address.ts';
import { Dial, DialError, type Dialled } from '../dial.ts';
import type { IdleLimits } from '../idle-sweep.ts';
import { proxyHeader, type ProxyAddresses } from '../proxy-header.ts';
import type { Remote } from '../remote.ts';
import { reset } from '../reset.ts';
import { addressesOf, IdleError, type ConnectionContext, type Side } from '../tcp-connection.ts';
import { Direction } from './copy.ts';
import { HandshakeError, RefusedError } from './handshake-error.ts';
import { quiet, type Layers } from './layers.ts';
import { proxyHeaderOf } from './proxy-header-of.ts';

/** What a connection with transports needs of its endpoint. */
export type TransportContext = Omit<ConnectionContext, 'onSettled'> & {
  /** Comes to terms with the client. */
  readonly accept: (raw: Socket) => Promise<Layers>;
  /** Comes to terms with a remote. */
  readonly connect: (raw: Socket) => Promise<Layers>;
  /** Told once, when both sockets are closed. */
  readonly onSettled: (connection: TransportConnection, failure: Side | undefined) => void;
};

/** A side of a connection that has come to terms. */
type Peer = { readonly raw: Socket; readonly top: Duplex };

/**
 * One client's connection through TLS or WebSocket, on one side or both, from accept to settle.
 *
 *     PROXY header ──► handshake with the client ──► dial ──► PROXY header, handshake ──► copying ──► settled
 *
 * A remote is dialled only for a client that has come to terms. What is plain on both sides is `TcpConnection`'s.
 */
export class TransportConnection {
  readonly fromClient = new Direction();
  readonly fromUpstream = new Direction();
  readonly #context: TransportContext;
  readonly #raw: Socket;
  readonly #startedMs: number;
  readonly #dial: Dial;
  #clientText: string;
  #addresses: ProxyAddresses;
  #upstream: { readonly raw: Socket; readonly remote: Remote } | undefined;
  #accepted: Layers | undefined;
  #connected: Layers | undefined;
  #upstreamText = '';
  /** What it consists of: the client's socket, the way to a remote, and then the upstream's socket. */
  #open = 2;
  #hasRun = false;
  #stopTimer: () => void = () => undefined;
  /** Bytes at the last look, and since when it has been as many. */
  #quiet = { bytes: 0, sinceMs: 0 };
  #failure: { readonly error: Error; readonly side: Side } | undefined;

  /** @param accepted  just accepted and paused; owned by the connection from now on. */
  constructor(accepted: Socket, context: TransportContext) {
    const { remoteAddress = '', remotePort = 0 } = accepted;
    this.#context = context;
    this.#raw = quiet(accepted);
    this.#startedMs = this.#quiet.sinceMs = context.clock.monotonicMs();
    this.#clientText = clientText(remoteAddress, remotePort);
    this.#addresses = addressesOf(accepted);
    this.#dial = new Dial({
      ...context,
      timeoutMs: context.network.tcpTimeoutMs,
      handshake: (raw) => this.#comeToTerms(raw),
      onFailedTry: ({ text: upstream }, err) => {
        context.log.warn({ ...this.#names(), upstream, err }, 'remote failed, trying the next');
      },
    });
    this.#own(accepted);
    void this.#run(clientIp(remoteAddress));
  }

  /** Resets both sides at once: the relay's own decision. */
  cut(): void {
    this.#fail('relay', new Error('cut by the relay'));
  }

  /** Ends it where no byte has come for longer than its limit, while reading is paused, too. */
  endIfIdle(nowMs: number, { idleMs, halfClosedMs }: IdleLimits): void {
    const bytes = this.fromClient.bytes + this.fromUpstream.bytes;
    if (bytes !== this.#quiet.bytes) this.#quiet = { bytes, sinceMs: nowMs };
    const isHalfClosed = this.fromClient.hasEnded || this.fromUpstream.hasEnded;
    const limitMs = isHalfClosed && halfClosedMs > 0 ? halfClosedMs : idleMs;
    const quietMs = nowMs - this.#quiet.sinceMs;
    if (limitMs > 0 && quietMs >= limitMs) this.#fail('relay', new IdleError(quietMs));
  }

  async #run(peerIp: string): Promise<void> {
    try {
      const ip = await this.#readProxyHeader(peerIp);
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
  async #readProxyHeader(peerIp: string): Promise<string> {
    const { network, clock } = this.#context;
    if (network.acceptProxy === undefined) return peerIp;
    const addresses = await proxyHeaderOf(this.#raw, network.acceptProxy, clock);
    if (addresses === undefined) return peerIp;
    this.#addresses = addresses;
    this.#clientText = clientText(addresses.source.address, addresses.source.port);
    return clientIp(addresses.source.address);
  }

  /** @returns undefined where the client was refused: it is told before it is closed. */
  async #handshake(): Promise<Peer | undefined> {
    const { clock, accept, network } = this.#context;
    const late = (): void => {
      this.#fail(
        'client',
        new HandshakeError(`the handshake took longer than ${String(network.tcpTimeoutMs)} ms`),
      );
    };
    if (network.tcpTimeoutMs > 0) this.#stopTimer = clock.after(network.tcpTimeoutMs, late);
    try {
      const layers = await accept(this.#raw);
      this.#stopTimer();
      if (this.#failure !== undefined) return undefined;
      this.#accepted = layers;
      this.#adopt('client', layers);
      return { raw: this.#raw, top: layers.top };
    } catch (error) {
      this.#failure ??= { side: 'client', error: asError(error) };
      if (!(error instanceof RefusedError)) this.#raw.destroySoon(); // an alert may be on its way
      return undefined;
    }
  }

  async #connect(client: Peer, ip: string): Promise<void> {
    client.top.read(0); // what comes meanwhile is held, up to a buffer, and a reset is noticed
    try {
      const dialled = await this.#dial.connect(this.#context.order(ip));
      if (dialled === undefined) return;
      if (this.#failure === undefined && this.#connected !== undefined)
        this.#join(client, dialled, this.#connected);
      else {
        dialled.socket.destroy();
        dialled.remote.leave();
      }
    } catch (error) {
      if (error instanceof DialError) this.#upstreamText = error.upstream;
      this.#fail('upstream', asError(error));
    }
  }

  /** With a remote that is connected. */
  async #comeToTerms(raw: Socket): Promise<void> {
    quiet(raw).setNoDelay(true);
    const { sendProxyVersion } = this.#context.network;
    if (sendProxyVersion !== undefined) raw.write(proxyHeader(sendProxyVersion, this.#addresses));
    this.#connected = await this.#context.connect(raw);
  }

  #join(client: Peer, { socket: raw, remote }: Dialled<Remote>, layers: Layers): void {
    const upstream: Peer = { raw, top: layers.top };
    this.#upstream = { raw, remote };
    this.#upstreamText = remote.text;
    this.#open += 1;
    this.#own(raw);
    this.#adopt('upstream', layers);
    this.fromUpstream.copy(upstream.top, client.top);
    this.fromClient.copy(client.top, upstream.top);
    endAfter(client, upstream);
    endAfter(upstream, client);
  }

  #own(raw: Socket): void {
    const { tcpKeepaliveMs, tcpKeepaliveProbes } = this.#context.network;
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
    if (this.#upstream !== undefined) reset(this.#upstream.raw, this.#connected?.all);
  }

  #settle(): void {
    const { log, clock, onSettled } = this.#context;
    this.#stopTimer();
    this.#upstream?.remote.leave();
    const fields = {
      ...this.#names(),
      upstream: this.#upstreamText,
      fromClientBytes: this.fromClient.bytes,
      fromUpstreamBytes: this.fromUpstream.bytes,
      durationMs: Math.round(clock.monotonicMs() - this.#startedMs),
    };
    if (this.#failure === undefined) log.info(fields, 'connection closed');
    else log.warn({ ...fields, side: this.#failure.side, err: this.#failure.error }, 'connection failed');
    onSettled(this, this.#failure?.side);
  }

  #names(): { endpoint: string; client: string } {
    return { endpoint: this.#context.endpoint, client: this.#clientText };
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
