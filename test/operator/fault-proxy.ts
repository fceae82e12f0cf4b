import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request as requestOverTls } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Transform, type Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { kubeConfigLoader } from '../../src/kube/kube-config.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';

/**
 * What happens to a request. It does not reach the server: a status is returned instead, nothing is ever returned, or the
 * connection is cut. Or it does: late, twice, with its answer lost, or with its answer cut in the middle. A watch may begin at an
 * older resource version, or its events may arrive late.
 */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | 'silence'
  | 'cut'
  | { readonly delayMs: number }
  | 'repeat'
  | 'lost answer'
  | 'half an answer'
  | { readonly resourceVersion: string }
  | { readonly eventsDelayMs: number };

/** A request on its way. */
export type Passing = { readonly method: string; readonly url: URL };

/** A request that was answered, what it wrote, and when, in milliseconds that only grow. */
export type Answered = Passing & { readonly status: number; readonly body: string; readonly atMs: number };

/**
 * Stands before a real API server and does to requests what networks, proxies and servers do on a bad day. Plain HTTP on
 * its own side; it passes on the credentials that it gets.
 */
export class FaultProxy {
  /** What is to happen to a request; it is passed on where that is nothing. A test may change it at any time. */
  fault: (request: Passing) => Fault | undefined = () => undefined;
  /** Every request that was answered, with faults too, in their order. */
  readonly answered: Answered[] = [];
  /** Called when the server has answered, before the answer is passed on. */
  onAnswer: (answered: Answered) => void = () => undefined;
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

  /** Cuts every connection; new ones are accepted. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends it, with every connection. */
  async stop(): Promise<void> {
    this.cutAll();
    this.#agent.destroy();
    await once(this.#server.close(), 'close');
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const passing = { method: request.method ?? '', url: new URL(request.url ?? '', this.#upstream) };
    const fault = this.fault(passing);
    if (fault === 'silence') this.#silent.push(response);
    else if (fault === 'cut') request.socket.destroy();
    else if (typeof fault === 'object' && 'status' in fault) this.#fail(response, passing, fault);
    else void this.#pass(request, response, { passing, fault });
  }

  #fail(response: ServerResponse, passing: Passing, fault: Extract<Fault, { status: number }>): void {
    this.answered.push({ ...passing, status: fault.status, body: '', atMs: performance.now() });
    response.writeHead(fault.status, fault.headers).end('a fault of the test');
  }

  async #pass(request: IncomingMessage, response: ServerResponse, { passing, fault }: Passed): Promise<void> {
    try {
      const body = await buffer(request);
      if (has(fault, 'delayMs')) await delay(fault.delayMs);
      if (fault === 'repeat') (await this.#send(request, passing, { body })).resume();
      if (has(fault, 'resourceVersion'))
        passing.url.searchParams.set('resourceVersion', fault.resourceVersion);
      const incoming = await this.#send(request, passing, { body, response });
      const status = incoming.statusCode ?? 0;
      const answered = { ...passing, status, body: body.toString(), atMs: performance.now() };
      this.onAnswer(answered);
      if (fault === 'lost answer') throw new Error(fault);
      this.answered.push(answered);
      response.writeHead(answered.status, incoming.headers);
      response.flushHeaders();
      if (fault === 'half an answer') await half(incoming, response);
      const events = has(fault, 'eventsDelayMs') ? incoming.pipe(lateBy(fault.eventsDelayMs)) : incoming;
      events.pipe(response);
      incoming.on('error', () => response.destroy());
      if (passing.url.searchParams.has('watch')) this.#watch(events, response);
    } catch {
      response.destroy();
    }
  }

  /** Sends a request to the server; it ends with `response`. */
  async #send(
    { headers }: IncomingMessage,
    { method, url }: Passing,
    { body, response }: { readonly body: Buffer; readonly response?: ServerResponse },
  ): Promise<IncomingMessage> {
    const options = { method, headers: { ...headers, host: this.#upstream.host }, agent: this.#agent };
    const outgoing = requestOverTls(url, options);
    response?.on('close', () => outgoing.destroy());
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    outgoing.on('error', () => incoming.destroy());
    return incoming;
  }

  #watch(events: Readable, response: ServerResponse): void {
    const stall = (): void => {
      events.unpipe(response);
      events.resume();
    };
    this.#watches.add(stall);
    response.on('close', () => this.#watches.delete(stall));
  }
}

/** A request on its way, and what happens to it. */
type Passed = { readonly passing: Passing; readonly fault: Fault | undefined };

function has<Key extends string>(
  fault: Fault | undefined,
  key: Key,
): fault is Extract<Fault, Record<Key, unknown>> {
  return typeof fault === 'object' && key in fault;
}

/** Writes the first half of what comes first, and fails. */
async function half(incoming: IncomingMessage, response: ServerResponse): Promise<never> {
  for await (const part of incoming as AsyncIterable<Buffer>) {
    const { promise: written, resolve } = Promise.withResolvers<unknown>();
    response.write(part.subarray(0, part.length >> 1), resolve);
    await written;
    break;
  }
  throw new Error('half an answer');
}

/** Passes on what it gets, each part later, in their order. */
function lateBy(delayMs: number): Transform {
  return new Transform({
    transform: (part, _encoding, done) => {
      setTimeout(() => {
        done(null, part);
      }, delayMs);
    },
  });
}

/** Starts a proxy before the API server of `controlPlane`; the caller stops it. */
export async function startFaultProxy({ kubeconfig }: ControlPlane): Promise<FaultProxy> {
  const cluster = kubeConfigLoader({ file: kubeconfig })().getCurrentCluster();
  if (cluster === null) throw new Error('no cluster');
  const proxy = new FaultProxy(cluster.server, Buffer.from(cluster.caData ?? '', 'base64'));
  await proxy.start();
  return proxy;
}
