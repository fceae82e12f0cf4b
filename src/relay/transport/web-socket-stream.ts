import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { MemoryError, type Holding, type MemoryBudget } from '../limits/memory-budget.ts';
import { HandshakeError } from './handshake-error.ts';

/** A larger message ends the connection: it stays in memory until it is complete. Realm sends at most 8 KiB. */
export const maxMessageBytes = 1024 * 1024;

/** How long `ws` waits for the peer's close frame: practically for ever, since the peer may go on sending before it. */
export const closeTimeout = 2 ** 31 - 1;

/** How long a peer may take to close TCP after both directions of the WebSocket have ended. */
const lingerMs = 10_000;

/**
 * A WebSocket whose directions end separately: RFC 6455, section 5.5.1, lets a peer that receives a close frame finish
 * what it is sending before it answers with its own.
 */
export class HalfOpenWebSocket extends WebSocket {
  #isFinished = false;

  /** Called by `ws` on the peer's close frame. */
  override close(): void {
    this.emit('peerEnd');
    if (this.#isFinished) super.close();
  }

  /** Sends the close frame, after which this side sends nothing more. */
  finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    if (this.readyState === WebSocket.OPEN) super.close(1000);
  }
}

/** What a WebSocket stream works with. */
export type WebSocketStreamContext = {
  /** The stream that carries the WebSocket. */
  readonly below: Duplex;
  readonly memory: MemoryBudget;
};

/**
 * The payload of the binary messages of an open WebSocket. It owns the socket below.
 *
 * `ws` keeps a message until it is complete. What it keeps, and what is not read yet, is held in the memory budget: if
 * memory is short, the stream whose message has waited longest fails.
 */
export class WebSocketStream extends Duplex {
  readonly #socket: HalfOpenWebSocket;
  readonly #holding: Holding;
  #hasEnded = false;
  /** Present while nothing may be sent. */
  #silence: Promise<void> | undefined;

  /**
   * @param socket     just opened, before its first message.
   * @param silenceMs  how long nothing is sent, unless the peer sends something before that.
   */
  constructor(socket: HalfOpenWebSocket, { below, memory }: WebSocketStreamContext, silenceMs = 0) {
    super({ allowHalfOpen: true });
    this.on('error', () => undefined); // a message may fail before there is another listener: see `errored`
    this.#socket = socket;
    this.#holding = memory.hold(() => {
      this.destroy(new MemoryError());
    });
    // Before `ws` reads the part, which may complete a message.
    below.prependListener('data', (part: Buffer) => {
      if (!this.destroyed) this.#holding.resize(this.#holding.bytes + part.length);
    });
    socket.binaryType = 'fragments';
    socket.on('message', (parts, isBinary) => {
      this.#receive(parts as Buffer[], isBinary);
    });
    const onEnd = (): void => {
      if (this.#hasEnded) return;
      this.#hasEnded = true;
      this.push(null);
    };
    socket.on('peerEnd', onEnd);
    socket.on('close', onEnd);
    if (silenceMs > 0) this.#silence = this.#keepSilence(silenceMs);
    socket.on('error', (cause) => {
      this.destroy(new HandshakeError('invalid WebSocket frame', { cause }));
    });
  }

  async #keepSilence(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const over = (): void => {
      resolve(undefined);
    };
    const timer = setTimeout(over, ms);
    const events = ['message', 'peerEnd', 'close'];
    for (const event of events) this.#socket.once(event, over);
    await promise;
    clearTimeout(timer);
    for (const event of events) this.#socket.off(event, over);
    this.#silence = undefined;
  }

  /** Runs `send` once the silence is over. */
  #afterSilence(send: () => void): void {
    if (this.#silence === undefined) send();
    else void this.#silence.then(send);
  }

  #receive(parts: readonly Buffer[], isBinary: boolean): void {
    if (!isBinary) {
      this.destroy(new HandshakeError('text WebSocket message: send binary messages'));
      return;
    }
    if (this.#hasEnded) return;
    let isRoom = true;
    for (const part of parts) if (part.length > 0) isRoom = this.push(part);
    if (!isRoom) this.#socket.pause();
    this.#holding.resize(isRoom ? 0 : this.readableLength);
  }

  override _read(): void {
    this.#holding.resize(this.readableLength);
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(part: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#afterSilence(() => {
      this.#socket.send(part, { binary: true }, done);
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#afterSilence(() => {
      this.#socket.finish();
      done();
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // After an error the owner decides how the socket below is closed.
    this.#holding.resize(0);
    if (error === null && this.writableFinished) this.#linger();
    else if (error === null) this.#socket.terminate();
    done(error);
  }

  /** Both close frames are under way: `ws` closes the socket once the peer does, which gets a limited time for it. */
  #linger(): void {
    const timer = setTimeout(() => {
      this.#socket.terminate();
    }, lingerMs).unref();
    this.#socket.once('close', () => {
      clearTimeout(timer);
    });
  }
}
