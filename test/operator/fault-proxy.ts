import { once } from 'node:events';
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { Agent, request as requestOverTls } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Readable, Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { kubeConfigLoader } from '../../src/kube/kube-config.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';

/**
 * What happens to a request. It does not reach the server: a status is returned instead, nothing is ever returned, or the
 * connection is cut. Or it does: late, twice, with its answer lost, or with its answer cut in the middle. A watch may begin at an
 * older resource version, its events may arrive late, or it may end after its first events, with an error or without one.
 */
export type Fault =
  | Failure
  | 'silence'
  | 'cut'
  | { readonly delayMs: number }
  | 'repeat'
  | 'lost answer'
  | 'half an answer'
  | { readonly resourceVersion: string }
  | { readonly eventsDelayMs: number }
  | { readonly watchEnds: 'cleanly' | Required<Omit<Failure, 'headers'>> };

/** An answer with an error: a `Status`, as API servers send it, if it has a reason; otherwise text, as proxies send it. */
type Failure = {
  readonly status: number;
  readonly reason?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

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
  readonly #waiting = new Set<ClientRequest>();

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

  /** Whether the server has yet to answer a request. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0;
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

  #fail(response: ServerResponse, passing: Passing, fault: Failure): void {
    this.answered.push({ ...passing, status: fault.status, body: '', atMs: performance.now() });
    const body = fault.reason === undefined ? words : JSON.stringify(statusObject(fault));
    response.writeHead(fault.status, fault.headers).end(body);
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
      const events = changed(incoming, fault);
      events.pipe(response);
      for (const stream of [incoming, events]) stream.on('error', () => response.destroy());
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
    this.#waiting.add(outgoing);
    for (const end of ['response', 'close'])
      outgoing.once(end, () => {
        this.#waiting.delete(outgoing);
      });
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

const words = 'a fault of the test';

function statusObject({ status, reason }: Failure): object {
  const [apiVersion, kind] = ['v1', 'Status'];
  return { apiVersion, kind, metadata: {}, status: 'Failure', message: words, reason, code: status };
}

/** What of `incoming` is passed on, and when. */
function changed(incoming: IncomingMessage, fault: Fault | undefined): Readable {
  if (has(fault, 'eventsDelayMs')) return incoming.pipe(lateBy(fault.eventsDelayMs));
  if (has(fault, 'watchEnds')) return Readable.from(firstEvents(incoming, fault.watchEnds));
  return incoming;
}

/** The first events of a watch, and after them an ERROR event with `end` if it is one. */
async function* firstEvents(
  incoming: IncomingMessage,
  end: 'cleanly' | Failure,
): AsyncGenerator<Buffer | string, void, undefined> {
  for await (const part of incoming as AsyncIterable<Buffer>) {
    yield part;
    if (part.at(-1) === newline) break;
  }
  if (end !== 'cleanly') yield `${JSON.stringify({ type: 'ERROR', object: statusObject(end) })}\n`;
}

const newline = 0x0a;

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
