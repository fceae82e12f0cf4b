import type { Clock } from '../../lib/clock.ts';
import { serveTcp } from '../connection/tcp-connection.ts';
import type { Accepted, TcpStack } from '../net/channel.ts';
import { withReceived } from '../net/received.ts';
import { FlowCarrier } from './flow-carrier.ts';
import { Lookups } from './lookups.ts';
import { clockBegan } from './messages.ts';
import type { ConnectionId, Order, RemoteInfo, Report, WorkerStart } from './messages.ts';
import { Outbox } from './outbox.ts';
import { ServedConnection, type WorkerContext } from './served-connection.ts';
import { workerContext } from './worker-context.ts';
import { WorkerEndpoints, type WorkerEndpoint } from './worker-endpoints.ts';

/** A client that the main thread has handed over. */
type Client = { readonly accepted: Accepted; readonly endpoint: WorkerEndpoint; readonly port: number };

/** The inside of a worker: serves connections as the main thread orders. */
export class Worker {
  readonly #outbox: Outbox<Report>;
  readonly #endpoints: WorkerEndpoints;
  readonly #lookups: Lookups;
  readonly #context: WorkerContext;
  readonly #tcp: TcpStack;
  readonly #carrier: FlowCarrier;
  readonly #served = new Map<ConnectionId, ServedConnection>();

  /** @param tcp  adopts the clients that the main thread hands over. */
  constructor(start: WorkerStart, tcp: TcpStack, clock: Clock) {
    const post = (report: Report): void => {
      this.#outbox.post(report);
    };
    const postNow = (report: Report): void => {
      this.#outbox.post(report);
      this.#outbox.flush();
    };
    this.#outbox = new Outbox(start.port);
    this.#endpoints = new WorkerEndpoints(clock);
    this.#lookups = new Lookups(post);
    this.#tcp = tcp;
    const context = workerContext({ start, clock, tcp, lookups: this.#lookups, post, postNow });
    this.#context = {
      ...context,
      onSettled: (served) => {
        this.#onSettled(served);
      },
    };
    this.#carrier = new FlowCarrier({
      memory: start.carried,
      taken: context.memory,
      nowMs: clockOfMainThread(start, clock),
      post: (report) => {
        post({ kind: 'udp', report });
      },
    });
    tcp.countDescriptors(context.budget, start.threads);
    post({ kind: 'ready' });
  }

  /** Does what the main thread orders. */
  receive(order: Order): void {
    if (order.kind === 'serve') this.#serve(order);
    else if (order.kind === 'configure') this.#endpoints.configure(order.config);
    else if (order.kind === 'remote') this.#endpoints.get(order.endpoint).remotes.push(order.remote);
    else if (order.kind === 'forget') this.#endpoints.forget(order.endpoint);
    else if (order.kind === 'report') this.#report(order.seq);
    else if (order.kind === 'udp') this.#carrier.receive(order.order);
    else if (order.kind === 'found' || order.kind === 'not found') this.#lookups.answer(order);
    else this.#goOn(order);
  }

  #serve(order: Extract<Order, { kind: 'serve' }>): void {
    const { id, fd, client, endpoint: name, port, remotes, received } = order;
    const adopted = this.#tcp.adopt?.(fd, client);
    if (adopted === undefined) throw new Error('the engine of a worker cannot adopt clients');
    const accepted = received === undefined ? adopted : withReceived(adopted, received);
    const endpoint = this.#endpoints.get(name);
    const served = new ServedConnection(id, endpoint, this.#context);
    this.#served.set(id, served);
    if (remotes !== undefined) served.dials(remotesOf(endpoint, remotes), true);
    void endpoint.ready(() => {
      this.#start(served, { accepted, endpoint, port });
    });
  }

  #start(served: ServedConnection, { accepted, endpoint, port }: Client): void {
    if (served.isCut) {
      accepted.reset();
      served.reject();
      return;
    }
    const serve = endpoint.transport?.serve ?? serveTcp;
    served.connection = serve(accepted, port, endpoint.config, served);
    endpoint.opened(served.connection);
    served.connection.start();
  }

  /** The rest concerns a connection, which may have ended. */
  #goOn(order: Extract<Order, { kind: 'ordered' | 'admitted' | 'cut' }>): void {
    const served = this.#served.get(order.id);
    if (served === undefined) return;
    if (order.kind === 'admitted') served.admitted(order.refusal);
    else if (order.kind === 'cut') served.cut();
    else served.dials(remotesOf(this.#endpoints.get(order.endpoint), order.remotes), false);
  }

  #onSettled({ id, endpoint, connection }: ServedConnection): void {
    this.#served.delete(id);
    if (connection !== undefined) endpoint.closed(connection);
  }

  #report(seq: number): void {
    this.#carrier.count();
    const numbers = [...this.#served.values()].flatMap(({ id, connection }) =>
      connection === undefined ? [] : [id, connection.fromClient.bytes, connection.fromUpstream.bytes],
    );
    this.#outbox.post({ kind: 'report', seq, bytes: Float64Array.from(numbers) });
  }
}

/** The monotonic clock of each thread begins at a time of its own, and is as fast as that of the system. */
function clockOfMainThread({ clockBeganMs }: WorkerStart, clock: Clock): () => number {
  const laterMs = clockBegan(clock) - clockBeganMs;
  return () => clock.monotonicMs() + laterMs;
}

function remotesOf({ remotes }: WorkerEndpoint, numbers: readonly number[]): RemoteInfo[] {
  return numbers.flatMap((number) => remotes[number] ?? []);
}
