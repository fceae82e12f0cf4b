import { connect, type Socket } from 'node:net';
import { buildConnector } from 'undici';

type Connector = ReturnType<typeof buildConnector>;
/** Those of undici's own connector; `timeout` is in milliseconds, for TCP and once more for TLS. */
type ConnectorOptions = buildConnector.BuildOptions & { readonly timeout: number };

/**
 * Connections that are reset, all of them, as soon as `signal` is aborted.
 *
 * A socket that is only closed goes on sending what it was given, for as long as the kernel tries: to take a write back, it
 * must be reset. The kernel then forgets what nobody has acknowledged.
 */
export class ResettableSockets {
  readonly #open = new Map<Socket, Socket>();

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => {
      for (const [tcp, socket] of this.#open) reset(tcp, socket);
    });
  }

  /** Makes connections as undici does. */
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
        tcp.on('error', () => undefined); // TLS tells it
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

/** Ends both: TLS is not told of what happens to the connection below it, and whoever waits for its end would for ever. */
function reset(tcp: Socket, socket: Socket): void {
  tcp.resetAndDestroy();
  socket.destroy();
}
