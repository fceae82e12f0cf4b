import type { Flow, FlowFigures, FlowRequest } from '../net/datagrams.ts';
import type { FlowEnds, ThreadListeners, ThreadSocket, UdpThread } from '../net/udp-threads.ts';
import { figure, figuresOfSlot, maxFlows, newCarriedMemory, type CarriedMemory } from './udp-messages.ts';
import type { UdpOrder, UdpReport } from './udp-messages.ts';

/** A listening socket that the worker receives from. */
type Attached = {
  readonly fd: number;
  readonly listeners: ThreadListeners;
  isStopped: boolean;
  /** Resolves `leave`. */
  onLeft: (() => void) | undefined;
};

/** `offered` until the worker is ready for it, then `carried`; `ending` once it is to return. */
type Offered = {
  readonly slot: number;
  readonly request: FlowRequest;
  readonly ends: FlowEnds;
  state: 'offered' | 'carried' | 'ending';
};

/**
 * The listening sockets and the flows of a place in the pool, as the main thread controls them. They stay when a worker ends:
 * the main thread serves their clients until the next worker is ready.
 */
export class UdpSockets implements UdpThread {
  readonly memory: CarriedMemory = newCarriedMemory();
  /** How many clients its sockets have. */
  clients = 0;
  readonly #sockets = new Map<number, Attached>();
  readonly #flows = new Map<number, Offered>();
  readonly #freeSlots: number[] = [];
  #usedSlots = 0;
  #lastId = 0;
  /** Undefined while no worker is ready. */
  #post: ((order: UdpOrder) => void) | undefined;

  /** A worker is ready, which `post` gives orders. */
  attach(post: (order: UdpOrder) => void): void {
    this.#post = post;
    Atomics.store(this.memory.backlog, 0, 0);
    for (const [socket, attached] of this.#sockets) this.#hand(socket, attached);
  }

  /** The worker has ended. */
  detach(): void {
    this.#post = undefined;
    for (const [id, flow] of this.#flows) this.#takeBack(id, flow, 0);
    for (const [socket, { listeners, onLeft }] of this.#sockets) {
      if (onLeft === undefined) listeners.onNoThread();
      else this.#onLeft(socket, onLeft);
    }
  }

  lost(): number {
    return Atomics.load(this.memory.lost, 0);
  }

  receive(fd: number, listeners: ThreadListeners): ThreadSocket {
    this.#lastId += 1;
    const socket = this.#lastId;
    const attached: Attached = { fd, listeners, isStopped: false, onLeft: undefined };
    this.#sockets.set(socket, attached);
    if (this.#post === undefined) listeners.onNoThread();
    else this.#hand(socket, attached);
    return {
      offer: (request, ends) => this.#offer(socket, request, ends),
      countClients: (count) => {
        this.clients += count;
      },
      stopReceiving: () => {
        attached.isStopped = true;
        this.#post?.({ kind: 'stop', socket });
      },
      leave: () => this.#leave(socket, attached),
    };
  }

  /** What the worker reports. */
  onReport(report: UdpReport): void {
    if (report.kind === 'batch') {
      const { socket, batch } = report;
      this.#sockets.get(socket)?.listeners.onBatch(batch);
      Atomics.sub(this.memory.backlog, 0, batch.data.length);
    } else if (report.kind === 'left') {
      const onLeft = this.#sockets.get(report.socket)?.onLeft;
      if (onLeft !== undefined) this.#onLeft(report.socket, onLeft);
    } else {
      const flow = this.#flows.get(report.flow);
      if (flow === undefined) return;
      if (report.kind === 'ready') this.#onReady(report.flow, flow);
      else this.#takeBack(report.flow, flow, report.error);
    }
  }

  #hand(socket: number, { fd, listeners, isStopped }: Attached): void {
    listeners.onThread();
    this.#post?.({ kind: 'receive', socket, fd });
    if (isStopped) this.#post?.({ kind: 'stop', socket });
  }

  #leave(socket: number, attached: Attached): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    attached.onLeft = () => {
      resolve(undefined);
    };
    if (this.#post === undefined) this.#onLeft(socket, attached.onLeft);
    else this.#post({ kind: 'leave', socket });
    return promise;
  }

  #onLeft(socket: number, onLeft: () => void): void {
    this.#sockets.delete(socket);
    onLeft();
  }

  #offer(socket: number, request: FlowRequest, ends: FlowEnds): Flow | undefined {
    if (this.#post === undefined) return undefined;
    const slot = this.#newSlot();
    if (slot === undefined) return undefined;
    this.#lastId += 1;
    const id = this.#lastId;
    const flow: Offered = { slot, request, ends, state: 'offered' };
    this.#flows.set(id, flow);
    const { header, isAnswered, silentMs, notBeforeMs } = request;
    const carried = { id, slot, client: ends.client, header, isAnswered, silentMs, notBeforeMs };
    this.#post({ kind: 'offer', socket, flow: carried });
    return {
      figures: new SlotFigures(this.memory.figures, slot),
      end: () => {
        if (flow.state === 'ending') return;
        flow.state = 'ending';
        this.#post?.({ kind: 'return', flow: id });
      },
    };
  }

  #onReady(id: number, flow: Offered): void {
    if (flow.state === 'ending') return;
    const upstream = flow.ends.lend();
    if (upstream === undefined) {
      flow.state = 'ending';
      this.#post?.({ kind: 'return', flow: id });
      return;
    }
    flow.state = 'carried';
    this.memory.figures[flow.slot * figuresOfSlot + figure.unansweredMs] = flow.request.unansweredMs() ?? 0;
    this.#post?.({ kind: 'carry', flow: id, upstream });
  }

  #takeBack(id: number, { slot, request, ends }: Offered, error: number): void {
    this.#flows.delete(id);
    request.onReturned();
    this.#freeSlots.push(slot);
    ends.takeBack(error);
  }

  #newSlot(): number | undefined {
    const slot = this.#freeSlots.pop() ?? this.#usedSlots;
    if (slot === maxFlows) return undefined;
    if (slot === this.#usedSlots) this.#usedSlots += 1;
    this.memory.figures.fill(0, slot * figuresOfSlot, (slot + 1) * figuresOfSlot);
    return slot;
  }
}

/** The figures of a slot, as they are now. */
class SlotFigures implements FlowFigures {
  readonly #figures: Float64Array;
  readonly #begin: number;

  constructor(figures: Float64Array, slot: number) {
    this.#figures = figures;
    this.#begin = slot * figuresOfSlot;
  }

  get lastMs(): number {
    return this.#at(figure.lastMs);
  }

  get fromClientBytes(): number {
    return this.#at(figure.fromClientBytes);
  }

  get fromUpstreamBytes(): number {
    return this.#at(figure.fromUpstreamBytes);
  }

  get unansweredMs(): number | undefined {
    const ms = this.#at(figure.unansweredMs);
    return ms === 0 ? undefined : ms;
  }

  #at(offset: number): number {
    return this.#figures[this.#begin + offset] ?? 0;
  }
}
