import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request as requestOverTls } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

/** What happens to a request instead of an answer: a status, nothing at all for ever, or a cut connection. */
export type Fault =
  { readonly status: number; readonly headers?: Readonly<Record<string, string>> } | 'silence' | 'cut';

/** A request on its way. */
export type Passing = { readonly method: string; readonly url: URL };

/** A request that was answered, and when, in milliseconds that only grow. */
export type Answered = Passing & { readonly status: number; readonly atMs: number };

/**
 * Stands before a real API server and does to requests what networks, proxies and servers do on a bad day. Plain HTTP on
 * its own side; it passes on the credentials that it gets.
 */
export class FaultProxy {
  /** What is to happen to a request; it is passed on where that is nothing. A test may change it at any time. */
  fault: (request: Passing) => Fault | undefined = () => undefined;
  /** Every request that was answered, with faults too, in their order. */
  readonly answered: Answered[] = [];
  readonly #upstream: URL;
  readonly #agent: Agent;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<() => void>();
  readonly #silent: ServerResponse[] = [];

  /** @param upstream  URL of the API server, whose certificate `ca` signed. */
  constructor(upstream: string, ca: string | Buffer) {
    this.#upstream = new URL(upstream);
    this.#agent = new Agent({ ca, keepAlive: true });
    this.#server = createServer((request, response) => {
      this.#take(request, response);
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Starts it on a free port. */
  async start(): Promise<void> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  /** From now on nothing more comes of the watches that are open now, and nobody is told: only one half of them lives. */
  stallWatches(): void {
    for (const stall of this.#watches) stall();
    this.#watches.clear();
  }

  /** Cuts every request that nobody was to answer. */
  endSilence(): void {
    for (const response of this.#silent.splice(0)) response.destroy();
  }

  /** Ends it, with every connection. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#agent.destroy();
    await once(this.#server.close(), 'close');
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const passing = { method: request.method ?? '', url: new URL(request.url ?? '', this.#upstream) };
    const fault = this.fault(passing);
    if (fault === 'silence') this.#silent.push(response);
    else if (fault === 'cut') request.socket.destroy();
    else if (fault === undefined) this.#pass(request, response, passing);
    else this.#fail(response, passing, fault);
  }

  #fail(response: ServerResponse, passing: Passing, fault: Exclude<Fault, string>): void {
    this.answered.push({ ...passing, status: fault.status, atMs: performance.now() });
    response.writeHead(fault.status, fault.headers).end('a fault of the test');
  }

  #pass(request: IncomingMessage, response: ServerResponse, passing: Passing): void {
    const { method, url } = passing;
    const headers = { ...request.headers, host: this.#upstream.host };
    const outgoing = requestOverTls(url, { method, headers, agent: this.#agent }, (incoming) => {
      const status = incoming.statusCode ?? 0;
      this.answered.push({ ...passing, status, atMs: performance.now() });
      response.writeHead(status, incoming.headers);
      response.flushHeaders();
      incoming.pipe(response);
      incoming.on('error', () => response.destroy());
      if (url.searchParams.has('watch')) this.#watch(incoming, response);
    });
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    request.pipe(outgoing);
  }

  #watch(incoming: IncomingMessage, response: ServerResponse): void {
    const stall = (): void => {
      incoming.unpipe(response);
      incoming.resume();
    };
    this.#watches.add(stall);
    response.on('close', () => this.#watches.delete(stall));
  }
}
