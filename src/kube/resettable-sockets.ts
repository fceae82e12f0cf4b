import { connect, type Socket } from 'node:net';
import { buildConnector } from 'undici';

type Connector = ReturnType<typeof buildConnector>;
/** The options of undici's connector; `timeout` is in milliseconds, for TCP and again for TLS. */
type ConnectorOptions = buildConnector.BuildOptions & { readonly timeout: number };

/**
 * Connections that are all reset when `signal` aborts.
 *
 * The kernel continues to send the data of a socket that is merely closed. A reset makes it drop what the peer has not
 * acknowledged, which takes back a write that has not arrived.
 */
export class ResettableSockets {
  readonly #open = new Map<Socket, Socket>();

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => {
      for (const [tcp, socket] of this.#open) reset(tcp, socket);
    });
  }

  /** A connector for undici that opens connections as its own does. */
  connector(connectorOptions: ConnectorOptions): Connector {
    const { timeout } = connectorOptions;
    const secure = buildConnector(connectorOptions);
    return (options, callback) => {
      const { hostname, port, protocol } = options;
      const isTls = protocol === 'https:';
      const tcp = connect({
        host: hostname.replace(/^\[|\]$/g, ''),
        port: Number(port || (isTls ? 443 : 80)),
        noDelay: true,
        keepAlive: true,
      });
      const failed = (error: Error): void => {
        callback(error, null);
      };
      tcp.setTimeout(timeout, () => tcp.destroy(new Error(`no connection to ${hostname}:${port}`)));
      tcp.once('error', failed);
      tcp.once('connect', () => {
        tcp.setTimeout(0);
        tcp.off('error', failed);
        if (!isTls) {
          this.#made(tcp, tcp, callback);
          return;
        }
        tcp.on('error', () => undefined); // reported by the TLS socket
        secure({ ...options, httpSocket: tcp }, (error, socket) => {
          if (error === null) {
            this.#made(tcp, socket, callback);
            return;
          }
          tcp.destroy();
          failed(error);
        });
      });
    };
  }

  #made(tcp: Socket, socket: Socket, callback: buildConnector.Callback): void {
    this.#open.set(tcp, socket);
    socket.once('close', () => this.#open.delete(tcp));
    callback(null, socket);
  }
}

/** Destroys both sockets: the TLS socket does not notice the reset of the TCP socket and would never emit `close`. */
function reset(tcp: Socket, socket: Socket): void {
  tcp.resetAndDestroy();
  socket.destroy();
}
