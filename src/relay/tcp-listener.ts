import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { Accepted, TcpStack } from './channel.ts';
import { familiesOf, type Listening } from './listening.ts';

/** What waits in the kernel to be accepted; it takes the least of this and net.core.somaxconn. */
const backlog = 1024;

/** What a TCP listener is bound to and whom it serves. */
export type TcpListenerOptions = {
  readonly address: string;
  readonly port: number;
  readonly ipv6Only: boolean;
  /** Bound to it already; absent = to be bound. */
  readonly handle?: object;
  readonly tcp: TcpStack;
  /** Owns the client from now on. */
  readonly onAccepted: (client: Accepted) => void;
  readonly onAcceptError: (error: Error) => void;
};

/**
 * Listens on TCP; IPV6_V6ONLY is set explicitly, on or off, and SO_REUSEPORT never.
 *
 * @throws the kernel's error, e.g. EADDRINUSE.
 */
export async function listenTcp(options: TcpListenerOptions): Promise<Listening> {
  const { address, port, ipv6Only, handle, tcp, onAccepted, onAcceptError } = options;
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  if (handle === undefined) server.listen({ host: address, port, ipv6Only, backlog });
  else server.listen(handle, backlog);
  await once(server, 'listening');
  server.on('error', onAcceptError);
  tcp.accept(server, onAccepted);
  const close = (): void => {
    server.close();
  };
  const { port: boundPort } = server.address() as AddressInfo;
  return { address, port: boundPort, families: familiesOf(address, ipv6Only), close, drain: close };
}
