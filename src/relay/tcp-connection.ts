import type { Socket } from 'node:net';
import type { EndpointNetwork } from '../config/relay-config.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, RealmError } from '../lib/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { takeOver } from './accepted-socket.ts';
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

/** What a connection needs of its endpoint. */
export type ConnectionContext = {
  /** Name of the endpoint. */
  readonly endpoint: string;
  readonly network: EndpointNetwork;
  /** Source address for dialling; undefined = the system's choice. */
  readonly through: string | undefined;
  /** The remotes in the order in which to try them. */
  readonly order: (clientIp: string) => readonly Remote[];
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly budget: DescriptorBudget;
  readonly log: Logger;
  readonly errors: RecentErrors;
  /** Told once, when both sockets are closed. */
  readonly onSettled: (connection: TcpConnection, failure: Side | undefined) => void;
};

/**
 * One client's connection, from accept to settle: it owns the client's socket, dials the upstream, copies
 * both ways and writes one log line at its end.
 *
 *     dialling ──► copying ──► settled      A peer that ends closes only the direction it wrote;
 *         └──────── failed ──────┘          a reset is passed on as a reset.
 */
export class TcpConnection {
  readonly fromClient = new Flow();
  readonly fromUpstream = new Flow();
  readonly #context: ConnectionContext;
  readonly #client: Socket;
  #clientText: string;
  /** What a PROXY header towards the remote tells. */
  #addresses: ProxyAddresses | undefined;
  readonly #startedMs: number;
  readonly #dial: Dial;
  #upstream: Socket | undefined;
  #remote: Remote | undefined;
  #upstreamText = '';
  #open = 1;
  /** Bytes at the last look, and since when it has been as many. */
  #quiet = { bytes: 0, sinceMs: 0 };
  #failure: { readonly error: Error; readonly side: Side } | undefined;

  /** @param accepted  as `takeOver` wants it; owned by the connection from now on. */
  constructor(accepted: Socket, context: ConnectionContext) {
    const { remoteAddress = '', remotePort = 0 } = accepted;
    this.#context = context;
    this.#startedMs = this.#quiet.sinceMs = context.clock.monotonicMs();
    this.#clientText = clientText(remoteAddress, remotePort);
    this.#dial = new Dial({
      ...context,
      timeoutMs: context.network.tcpTimeoutMs,
      reader: this.fromUpstream.reader,
      onFailedTry: ({ text: upstream }, err) => {
        context.log.warn({ ...this.#names(), upstream, err }, 'remote failed, trying the next');
      },
    });
    if (context.network.sendProxyVersion !== undefined) this.#addresses = addressesOf(accepted);
    const gate = this.#proxyGate(remoteAddress);
    this.#client = takeOver(accepted, (gate ?? this.fromClient).reader);
    this.#adopt(this.#client, 'client');
    this.fromClient.readFrom(this.#client);
    if (gate === undefined) void this.#connect(clientIp(remoteAddress));
    else this.#await(gate, remoteAddress);
    this.#client.resume();
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

  /** The remote is dialled only once the header is there: it may decide which remote. */
  #proxyGate(remoteAddress: string): ProxyGate | undefined {
    const { network, clock } = this.#context;
    if (network.acceptProxy === undefined) return undefined;
    return new ProxyGate(this.fromClient.reader, network.acceptProxy, clock, {
      onHeader: (addresses) => {
        if (addresses !== undefined) {
          this.#addresses = addresses;
          this.#clientText = clientText(addresses.source.address, addresses.source.port);
        }
        void this.#connect(clientIp(addresses?.source.address ?? remoteAddress));
      },
      onError: (error) => {
        this.#fail('client', error);
      },
    });
  }

  #await(gate: ProxyGate, remoteAddress: string): void {
    const { acceptProxy } = this.#context.network;
    const end = (): void => {
      gate.end();
    };
    this.#client.once('end', end).once('close', end);
    if (acceptProxy === undefined || isTrusted(acceptProxy, remoteAddress)) return;
    gate.fail(new ProxyHeaderError('PROXY headers of this client are not trusted: see accept_proxy_trusted'));
  }

  async #connect(ip: string): Promise<void> {
    try {
      const dialled = await this.#dial.connect(this.#context.order(ip));
      if (dialled === undefined) return;
      if (this.#failure === undefined) this.#join(dialled);
      else {
        dialled.socket.destroy();
        dialled.remote.leave();
      }
    } catch (error) {
      if (error instanceof DialError) this.#upstreamText = error.upstream;
      this.#fail('upstream', asError(error));
    }
  }

  #join({ socket: upstream, remote }: Dialled<Remote>): void {
    this.#upstream = upstream;
    this.#remote = remote;
    this.#upstreamText = remote.text;
    this.#open += 1;
    this.#adopt(upstream, 'upstream');
    this.fromUpstream.readFrom(upstream);
    this.fromUpstream.writeTo(this.#client);
    this.fromClient.writeTo(upstream, this.#header());
  }

  #header(): Buffer | undefined {
    const { sendProxyVersion } = this.#context.network;
    if (sendProxyVersion === undefined || this.#addresses === undefined) return undefined;
    return proxyHeader(sendProxyVersion, this.#addresses);
  }

  #adopt(socket: Socket, side: Side): void {
    const { tcpKeepaliveMs, tcpKeepaliveProbes } = this.#context.network;
    socket.setNoDelay(true);
    if (tcpKeepaliveMs > 0) socket.setKeepAlive(true, tcpKeepaliveMs, tcpKeepaliveMs, tcpKeepaliveProbes);
    socket.on('error', (error) => {
      this.#fail(side, error);
    });
    socket.once('close', () => {
      this.#open -= 1;
      if (this.#open === 0) this.#settle();
    });
  }

  #fail(side: Side, error: Error): void {
    this.#failure ??= { side, error };
    this.#dial.cancel();
    reset(this.#client);
    if (this.#upstream !== undefined) reset(this.#upstream);
  }

  #settle(): void {
    const { log, clock, onSettled } = this.#context;
    this.#remote?.leave();
    this.fromClient.release();
    this.fromUpstream.release();
    const fields = {
      ...this.#names(),
      upstream: this.#upstreamText,
      fromClientBytes: this.fromClient.bytes,
      fromUpstreamBytes: this.fromUpstream.bytes,
      durationMs: Math.round(clock.monotonicMs() - this.#startedMs),
    };
    if (this.#failure === undefined) log.info(fields, 'connection closed');
    else log.warn({ ...fields, side: this.#failure.side, err: this.#failure.error }, 'connection failed');
    this.#rememberFailure();
    onSettled(this, this.#failure?.side);
  }

  /** Each remote remembers its failed dials by itself. */
  #rememberFailure(): void {
    if (this.#failure === undefined || this.#failure.error instanceof DialError) return;
    const { errors, endpoint } = this.#context;
    const { side } = this.#failure;
    errors.add({ ...this.#failure, endpoint, ...(side === 'upstream' && { upstream: this.#upstreamText }) });
  }

  #names(): { endpoint: string; client: string } {
    return { endpoint: this.#context.endpoint, client: this.#clientText };
  }
}

/** RST instead of FIN, so that the peer does not take a broken stream for a whole one. */
function reset(socket: Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy();
}

function addressesOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): ProxyAddresses {
  return {
    source: { address: remoteAddress ?? '', port: remotePort ?? 0 },
    destination: { address: localAddress ?? '', port: localPort ?? 0 },
  };
}
