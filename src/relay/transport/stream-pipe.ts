import type { Duplex } from 'node:stream';

/** One direction: how much came, and whether all did. */
export class StreamPipe {
  /** Bytes read so far: what is relayed, without what its transports add. */
  bytes = 0;
  /** Whether the side that is read has ended. */
  hasEnded = false;

  /** Copies what `from` brings to `to`, at the pace of both, and ends `to` where `from` ends. */
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
