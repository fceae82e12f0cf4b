import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { HandshakeError } from './handshake-error.ts';

/** Larger messages end a connection: one is kept in memory until it is whole. Realm's are at most 8 KiB. */
export const mostMessageBytes = 1024 * 1024;

/** Of ws: how long it waits for the peer's close frame. Here the peer may go on sending until then. */
export const closeTimeout = 2 ** 31 - 1;

/** How long a peer may take to close TCP where both directions of the WebSocket have ended. */
const lingerMs = 10_000;

/**
 * A WebSocket whose directions end one by one: RFC 6455, section 5.5.1, lets a peer that gets a close frame finish
 * what it is sending before it answers with its own.
 */
export class HalfOpenWebSocket extends WebSocket {
  #isFinished = false;

  /** Called by ws when the peer's close frame has come. */
  override close(): void {
    this.emit('peerEnd');
    if (this.#isFinished) super.close();
  }

  /** Sends the close frame: nothing follows from here. */
  finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    if (this.readyState === WebSocket.OPEN) super.close(1000);
  }
}

/** The bytes in the binary messages of an open WebSocket; it owns the socket below. */
export class WebSocketStream extends Duplex {
  readonly #socket: HalfOpenWebSocket;
  #hasEnded = false;
  /** Present while nothing is to be sent. */
  #silence: Promise<void> | undefined;

  /**
   * @param socket     just opened: no message may have come yet.
   * @param silenceMs  nothing is sent for so long, unless the peer says something before.
   */
  constructor(socket: HalfOpenWebSocket, silenceMs = 0) {
    super({ allowHalfOpen: true });
    this.on('error', () => undefined); // a message may be wrong before anybody listens: see `errored`
    this.#socket = socket;
    socket.binaryType = 'fragments';
    socket.on('message', (parts, isBinary) => {
      this.#take(parts as Buffer[], isBinary);
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
      this.destroy(new HandshakeError('what came is no WebSocket', { cause }));
    });
  }

  async #keepSilence(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const over = (): void => {
      resolve(undefined);
    };
    const timer = setTimeout(over, ms);
    const signs = ['message', 'peerEnd', 'close'];
    for (const sign of signs) this.#socket.once(sign, over);
    await promise;
    clearTimeout(timer);
    for (const sign of signs) this.#socket.off(sign, over);
    this.#silence = undefined;
  }

  /** Runs `send` once the peer may be spoken to. */
  #speak(send: () => void): void {
    if (this.#silence === undefined) send();
    else void this.#silence.then(send);
  }

  #take(parts: readonly Buffer[], isBinary: boolean): void {
    if (!isBinary) {
      this.destroy(new HandshakeError('a WebSocket message came as text: send binary messages'));
      return;
    }
    if (this.#hasEnded) return;
    let isRoom = true;
    for (const part of parts) if (part.length > 0) isRoom = this.push(part);
    if (!isRoom) this.#socket.pause();
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(part: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#speak(() => {
      this.#socket.send(part, { binary: true }, done);
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#speak(() => {
      this.#socket.finish();
      done();
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // After an error it is the owner's to say how the socket below is closed.
    if (error === null && this.writableFinished) this.#linger();
    else if (error === null) this.#socket.terminate();
    done(error);
  }

  /** Both close frames are on their way: ws closes the socket, and the peer should, too. */
  #linger(): void {
    const timer = setTimeout(() => {
      this.#socket.terminate();
    }, lingerMs).unref();
    this.#socket.once('close', () => {
      clearTimeout(timer);
    });
  }
}
