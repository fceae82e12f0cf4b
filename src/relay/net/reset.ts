import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Sends RST instead of FIN, so that the peer does not mistake a broken stream for a complete one. libuv cannot reset a
 * socket that was ended and still has data to send (EINVAL, and it would never close): such a socket is only closed.
 *
 * @param layers  the streams on top of `socket`, such as TLS.
 */
export function reset(socket: Socket, layers: readonly Duplex[] = []): void {
  if (socket.destroyed) return;
  const isEnding = [socket, ...layers].some((layer) => layer.writableEnded && !layer.writableFinished);
  if (isEnding) socket.destroy();
  else socket.resetAndDestroy();
}
