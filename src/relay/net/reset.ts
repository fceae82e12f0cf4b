import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * RST instead of FIN, so that the peer does not take a broken stream for a whole one. While a side that was ended still
 * has to send, libuv cannot reset (EINVAL, and the socket would never close): then it is only closed.
 *
 * @param layers  what stands on `socket`, such as TLS.
 */
export function reset(socket: Socket, layers: readonly Duplex[] = []): void {
  if (socket.destroyed) return;
  const isEnding = [socket, ...layers].some((layer) => layer.writableEnded && !layer.writableFinished);
  if (isEnding) socket.destroy();
  else socket.resetAndDestroy();
}
