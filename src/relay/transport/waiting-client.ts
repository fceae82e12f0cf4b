import type { Socket } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import { asError, RealmError } from '../../lib/errors.ts';
import type { ConnectionMemory } from '../limits/taken-memory.ts';
import type { Accepted, Address, Channel, ChannelOwner, Reader, SocketSettings } from '../net/channel.ts';
import { NoDataError } from '../net/no-data-error.ts';
import { ProxyHeaderReader } from '../proxy-protocol/header-reader.ts';
import { ClientHelloError, ClientHelloParser, UnknownNameError, type ClientHello } from './client-hello.ts';

/** How many bytes are read at a time. */
const readBytes = 16_384;
/** The client took too long. */
export class LateHelloError extends RealmError {
  readonly code = 'REALM_CLIENT_HELLO_TIMEOUT';

  constructor(timeoutMs: number) {
    super(`the client sent no ClientHello within ${String(timeoutMs)} ms`);
  }
}

/** What a waiting client works with. */
export type WaitingClientContext = {
  readonly clock: Clock;
  readonly memory: ConnectionMemory;
  readonly settings: SocketSettings;
  /** Whether a PROXY header precedes the ClientHello. */
  readonly acceptsProxy: boolean;
  /** How long the ClientHello may take. */
  readonly timeoutMs: number;
  /**
   * Serves the client, which begins again with all that it has sent.
   *
   * @returns false if no endpoint serves that name; the client is not touched then.
   */
  readonly onHello: (hello: ClientHello, client: Accepted) => boolean;
  /** Called once if it is not served, when that is decided. */
  readonly onRefused: (error: Error) => void;
  /** Called once if it is not served, when its socket is closed. */
  readonly onClosed: () => void;
};

/**
 * A client of TLS whose ClientHello is awaited, since that decides who serves it. What it sends is kept, within the memory
 * budget, for the endpoint that does.
 *
 *     reading ──► served by another, which owns it from then on
 *        └──────► refused: reset, as Envoy and HAProxy do, and the Gateway API's conformance suite expects
 */
export class WaitingClient implements Accepted, Reader, ChannelOwner {
  readonly remote: Address;
  readonly target = undefined;
  readonly #context: WaitingClientContext;
  readonly #channel: Channel;
  readonly #parser = new ClientHelloParser();
  readonly #header: ProxyHeaderReader | undefined;
  #parts: Buffer[] = [];
  /** Bytes of `#parts`, as counted in the memory budget. */
  #bytes = 0;
  #state: 'reading' | 'refused' | 'served' = 'reading';
  #isGone = false;
  #hello: ClientHello | undefined;
  readonly #stopTimer: () => void;

  /** @param accepted  owned by this object from now on. */
  constructor(accepted: Accepted, context: WaitingClientContext) {
    const { clock, settings, timeoutMs, acceptsProxy } = context;
    this.remote = accepted.remote;
    this.#context = context;
    this.#channel = accepted.channel();
    this.#header = acceptsProxy ? this.#proxyHeaderReader() : undefined;
    this.#stopTimer = clock.after(timeoutMs, () => {
      this.#turnAway(new LateHelloError(timeoutMs));
    });
    this.#channel.open(this, this, settings);
  }

  /** Begins to read. */
  start(): void {
    this.#channel.resume();
  }

  /** Resets it at once, because the relay decides so. */
  cut(): void {
    this.#end();
    this.#channel.reset();
  }

  get maxBytes(): number {
    return readBytes;
  }

  take(part: Uint8Array): boolean {
    this.#keep(part);
    if (this.#header === undefined) this.#parse(part);
    else this.#header.take(part);
    return this.#hello === undefined;
  }

  /** Ended by the client. */
  end(): void {
    if (this.#bytes === 0) this.#refuse(new NoDataError());
    else
      this.#refuse(
        new ClientHelloError('the client closed the connection before its ClientHello was complete'),
      );
    this.#channel.close();
  }

  moved(): void {
    // has no target that bytes could be moved to
  }

  blocked(): void {
    // the same
  }

  onDrained(): void {
    // nothing waits for that
  }

  onFailed(_channel: Channel, error: Error): void {
    this.#isGone = true;
    if (this.#state === 'served') return; // the endpoint that has it calls `isGone`
    this.#turnAway(this.#bytes === 0 ? new NoDataError() : error);
  }

  onClosed(): void {
    this.#isGone = true;
    if (this.#state === 'served') return;
    this.#end();
    this.#context.onClosed();
  }

  // The rest is for the endpoint that serves it.

  get received(): Uint8Array {
    return Buffer.concat(this.#parts);
  }

  get handOver(): (() => number) | undefined {
    const channel = this.#channel;
    if (channel.handOver === undefined) return undefined;
    return () => {
      this.#drop();
      return channel.handOver?.() ?? -1;
    };
  }

  local(): Address {
    return this.#channel.local();
  }

  channel(): Channel {
    this.#drop();
    return this.#channel;
  }

  stream(settings: SocketSettings): Socket {
    const stream = this.#channel.stream(settings).pause();
    stream.unshift(this.received);
    this.#drop();
    return stream;
  }

  keepAlive(settings: SocketSettings): void {
    this.#channel.open(this, this, settings);
  }

  isGone(): boolean {
    this.#channel.probe();
    return this.#isGone;
  }

  reset(): void {
    this.#drop();
    this.#channel.reset();
  }

  #proxyHeaderReader(): ProxyHeaderReader {
    const { clock } = this.#context;
    const next: Reader = {
      take: (part) => {
        this.#parse(part);
        return true;
      },
      end: () => undefined,
      maxBytes: readBytes,
      target: undefined,
      moved: () => undefined,
      blocked: () => undefined,
    };
    // The endpoint that serves the client reads the header again, with its own settings.
    return new ProxyHeaderReader(next, { timeoutMs: 0, trustedSources: [] }, clock, {
      onHeader: () => undefined,
      onError: (error) => {
        this.#turnAway(error);
      },
    });
  }

  #keep(part: Uint8Array): void {
    this.#parts.push(Buffer.from(part)); // a copy: the memory is reused
    this.#bytes += part.length;
    this.#context.memory.take(part.length);
  }

  /** Forgets what it has kept. */
  #drop(): void {
    this.#parts = [];
    this.#context.memory.release(this.#bytes);
    this.#bytes = 0;
  }

  #parse(part: Uint8Array): void {
    try {
      this.#hello = this.#parser.push(part);
    } catch (error) {
      this.#turnAway(asError(error));
      return;
    }
    if (this.#hello === undefined) return;
    this.#stopTimer();
    const hello = this.#hello;
    queueMicrotask(() => {
      this.#serve(hello);
    });
  }

  /** Called when nothing is being read any more, so that another reader can take over. */
  #serve(hello: ClientHello): void {
    if (this.#state !== 'reading') return;
    this.#state = 'served';
    if (this.#context.onHello(hello, this)) return;
    this.#state = 'reading';
    this.#turnAway(new UnknownNameError(hello));
  }

  #turnAway(error: Error): void {
    this.#refuse(error);
    this.#channel.reset();
  }

  #refuse(error: Error): void {
    if (this.#end()) this.#context.onRefused(error);
  }

  /** Reads no further. @returns whether it did until now. */
  #end(): boolean {
    if (this.#state !== 'reading') return false;
    this.#state = 'refused';
    this.#stopTimer();
    this.#header?.close();
    this.#drop();
    return true;
  }
}
