import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import type { KubeConfigLoader } from '../../src/kube/kube-config.ts';

/** Answers one request; it may keep the answer open, or cut the connection. */
export type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

/** An HTTP server on loopback that does what a test wants of an API server that misbehaves. */
export class FakeApiServer {
  /** What answers; a test may change it at any time. */
  handle: Handler;
  /** Path and query of each request that came. */
  readonly requests: URL[] = [];
  /** How many connections were made. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(handle: Handler) {
    this.handle = handle;
    this.#server = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://fake');
      this.requests.push(url);
      this.handle(request, response, url);
    });
    this.#server.on('connection', (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Starts it on a free port. */
  async start(): Promise<void> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
  }

  /** Ends it, with every connection. */
  async stop(): Promise<void> {
    this.cut();
    await once(this.#server.close(), 'close');
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** A loader of a kubeconfig for it; each load takes the next of `tokens`, the last one for ever. */
  kubeConfig(...tokens: string[]): KubeConfigLoader {
    const { port } = this.#server.address() as AddressInfo;
    return () => {
      const token = tokens.length > 1 ? tokens.shift() : tokens[0];
      const config = new KubeConfig();
      config.loadFromClusterAndUser(
        { name: 'fake', server: `http://127.0.0.1:${String(port)}`, skipTLSVerify: true },
        { name: 'test', ...(token === undefined ? {} : { token }) },
      );
      return config;
    };
  }
}

/** Answers `body` as JSON. */
export function answerJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** A `Status` object as the API server refuses with. */
export function statusObject(code: number, reason: string, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message };
}
