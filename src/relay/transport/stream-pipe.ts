import type { Duplex } from 'node:stream';

/** One direction of a connection with transports. */
export class StreamPipe {
  /** Payload bytes read so far, without what TLS and WebSocket add. */
  bytes = 0;
  /** Whether the side that is read has ended. */
  hasEnded = false;

  /** Copies `from` to `to` at the pace of the slower one, and ends `to` when `from` ends. */
  copy(from: Duplex, to: Duplex): void {
    from.on('data', (part: Buffer) => {
      this.bytes += part.length;
      if (!to.write(part)) from.pause();
    });
    to.on('drain', () => {
      from.resume();
    });
    from.once('end', () => {
      this.hasEnded = true;
      to.end();
    });
    from.resume();
  }
}
