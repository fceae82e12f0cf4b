import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { Logger } from '../telemetry/logger.ts';
import { canTakeOver } from './accepted-socket.ts';
import { familiesOf, type Listening } from './listening.ts';

/** What waits in the kernel to be accepted; it takes the least of this and net.core.somaxconn. */
const backlog = 1024;

/** What a TCP listener is bound to and whom it serves. */
export type TcpListenerOptions = {
  readonly address: string;
  readonly port: number;
  readonly ipv6Only: boolean;
  readonly log: Logger;
  /** Bound to it already; absent = to be bound. */
  readonly handle?: object;
  /** Owns the socket from now on; the server knows nothing of it. */
  readonly onConnection: (accepted: Socket) => void;
};

/**
 * Listens on TCP; IPV6_V6ONLY is set explicitly, on or off, and SO_REUSEPORT never.
 *
 * @throws the kernel's error, e.g. EADDRINUSE.
 */
export async function listenTcp(options: TcpListenerOptions): Promise<Listening> {
  const { address, port, ipv6Only, handle, log, onConnection } = options;
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, onConnection);
  if (handle === undefined) server.listen({ host: address, port, ipv6Only, backlog });
  else server.listen(handle, backlog);
  await once(server, 'listening');
  server.on('error', (err) => {
    log.warn({ err }, 'accept failed');
  });
  if (!canTakeOver(server)) log.warn('this Node.js has no fast path, reading by events');
  const close = (): void => {
    server.close();
  };
  const { port: boundPort } = server.address() as AddressInfo;
  return { address, port: boundPort, families: familiesOf(address, ipv6Only), close, drain: close };
}
