import { Duplex } from 'node:stream';
import type { PingConfig } from '../../config/transport.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import { FrameReader, frameWriter, type FrameWriter } from './web-socket-frames.ts';
import { WebSocketPings, type PingedPeer } from './web-socket-pings.ts';

/** How long a peer may take to close TCP after both directions of the WebSocket have ended. */
const lingerMs = 10_000;

/** How a WebSocket stream begins. */
export type WebSocketStreamOptions = {
  /** Whether this side has accepted the WebSocket, so that its peer masks frames; if not, it masks its own. */
  readonly isServer: boolean;
  /** What was read behind the peer's handshake. */
  readonly rest: Buffer;
  readonly pings: PingConfig;
  readonly clock: Clock;
  /** How long nothing is sent, unless the peer sends something before that; 0 by default. */
  readonly silenceMs?: number;
};

/**
 * The payload of the binary messages of a WebSocket, as it comes: no message is kept until it is complete. It owns the
 * stream below.
 *
 * Its directions end separately: RFC 6455, section 5.5.1, lets a peer that receives a close frame finish what it is
 * sending before it answers with its own. A peer that closes TCP without a close frame ends both.
 */
export class WebSocketStream extends Duplex {
  readonly #below: Duplex;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  readonly #pings: WebSocketPings;
  #hasPeerEnded = false;
  #hasFinished = false;
  /** Present while nothing may be sent. */
  #silence: PromiseWithResolvers<undefined> | undefined;
  #ping: Buffer | undefined;
  #isAnswering = false;

  /** @param below  open, and paused; no error of it is reported. */
  constructor(below: Duplex, { isServer, rest, pings, clock, silenceMs = 0 }: WebSocketStreamOptions) {
    super({ allowHalfOpen: true });
    this.on('error', () => undefined); // the first frame may fail before there is another listener: see `errored`
    this.#below = below;
    this.#reader = new FrameReader(isServer, {
      onPing: (ping) => {
        this.#answer(ping);
      },
      onPong: () => {
        this.#pings.answered();
      },
    });
    this.#writer = frameWriter(!isServer);
    this.#pings = new WebSocketPings(this.#pingedPeer(), pings, clock);
    if (silenceMs > 0) this.#keepSilence(silenceMs);
    below.on('data', (part: Buffer) => {
      this.#receive(part);
    });
    below.once('end', () => {
      this.#endOfPeer();
      below.end();
    });
    below.once('close', () => {
      this.#endOfPeer();
    });
    if (rest.length > 0) this.#receive(rest);
  }

  override _read(): void {
    if (!this.#below.isPaused()) return;
    this.#pings.heard(); // what came meanwhile was not read
    this.#below.resume();
  }

  override _write(part: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#afterSilence(() => {
      if (!this.#below.writable) {
        done(new Error('the peer has closed the connection'));
        return;
      }
      this.#below.cork();
      this.#below.write(this.#writer.binaryHead(part.length));
      this.#below.write(part, done);
      this.#below.uncork();
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#afterSilence(() => {
      this.#hasFinished = true;
      this.#pings.stop();
      if (this.#below.writable) this.#below.write(this.#writer.close());
      this.#closeBelow();
      done();
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#silence?.resolve(undefined);
    this.#pings.stop();
    // After an error the owner decides how the stream below is closed.
    if (error === null && this.writableFinished) this.#linger();
    else if (error === null) this.#below.destroy();
    done(error);
  }

  #receive(part: Buffer): void {
    if (this.destroyed || this.#hasPeerEnded) return;
    this.#pings.heard();
    let payload: Buffer;
    try {
      payload = this.#reader.read(part);
    } catch (error) {
      this.destroy(asError(error));
      return;
    }
    if (payload.length > 0) this.#silence?.resolve(undefined);
    if (payload.length > 0 && !this.push(payload)) this.#below.pause();
    if (this.#reader.isClosed) this.#endOfPeer();
  }

  /** The peer sends nothing more; the stream below is read on, to notice that the peer closes it. */
  #endOfPeer(): void {
    if (this.#hasPeerEnded) return;
    this.#hasPeerEnded = true;
    this.#pings.stop();
    this.#silence?.resolve(undefined);
    this.push(null);
    this.#closeBelow();
    this.#below.resume();
  }

  /** RFC 6455, section 7.1.1: the connection is closed once both close frames are under way. */
  #closeBelow(): void {
    if (this.#hasPeerEnded && this.#hasFinished) this.#below.end();
  }

  /** RFC 6455, section 5.5.3: of the pings that came while a pong could not be sent, the latest is answered. */
  #answer(ping: Buffer): void {
    this.#ping = ping;
    if (!this.#isAnswering) this.#sendPong();
  }

  #sendPong(): void {
    const ping = this.#ping;
    this.#ping = undefined;
    this.#isAnswering = ping !== undefined && !this.#hasFinished && this.#below.writable;
    if (ping === undefined || !this.#isAnswering) return;
    this.#below.write(this.#writer.pong(ping), () => {
      this.#sendPong();
    });
  }

  #pingedPeer(): PingedPeer {
    const below = this.#below;
    return {
      ping: () => {
        if (below.writable) below.write(this.#writer.ping());
      },
      isStalled: () => below.isPaused() || below.writableLength > 0,
      onLost: (error) => {
        this.destroy(error);
      },
    };
  }

  #keepSilence(ms: number): void {
    const silence = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => {
      silence.resolve(undefined);
    }, ms);
    this.#silence = silence;
    void silence.promise.then(() => {
      clearTimeout(timer);
      this.#silence = undefined;
    });
  }

  /** Runs `send` once the silence is over. */
  #afterSilence(send: () => void): void {
    if (this.#silence === undefined) send();
    else void this.#silence.promise.then(send);
  }

  /** Both close frames are under way: the peer gets a limited time to close TCP. */
  #linger(): void {
    const timer = setTimeout(() => {
      this.#below.destroy();
    }, lingerMs).unref();
    this.#below.once('close', () => {
      clearTimeout(timer);
    });
  }
}
