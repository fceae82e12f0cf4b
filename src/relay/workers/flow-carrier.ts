import { constants } from '../kernel/constants.ts';
import { peerLayout } from '../kernel/datagram-peer.ts';
import { Descriptor } from '../kernel/descriptor.ts';
import type { ConnectionMemory } from '../limits/taken-memory.ts';
import { udpMemory, unsentDatagrams } from '../net/udp-memory.ts';
import type { DatagramBatch } from '../net/udp-threads.ts';
import { CarriedSocket, type Forwarded } from './carried-socket.ts';
import { ServedFlow } from './served-flow.ts';
import type { CarriedMemory, UdpOrder, UdpReport } from './udp-messages.ts';

const { EPOLLIN } = constants;
/** Bytes of clients without a flow that may wait for the main thread; what comes then is lost. */
const maxBacklogBytes = 4 * 1024 * 1024;

/** What a flow carrier works with. */
export type FlowCarrierContext = {
  readonly memory: CarriedMemory;
  /** The memory budget. */
  readonly taken: ConnectionMemory;
  /** Now, by the clock of the main thread. */
  readonly nowMs: () => number;
  readonly post: (report: UdpReport) => void;
};

/** The UDP of a worker: receives from listening sockets, and carries flows. */
export class FlowCarrier {
  readonly #context: FlowCarrierContext;
  readonly #sockets = new Map<number, CarriedSocket>();
  readonly #flows = new Map<number, ServedFlow>();
  #counted = 0;

  constructor(context: FlowCarrierContext) {
    this.#context = context;
  }

  /** Does what the main thread orders. */
  receive(order: UdpOrder): void {
    if (order.kind === 'receive') this.#open(order.socket, order.fd);
    else if (order.kind === 'stop') this.#sockets.get(order.socket)?.stop();
    else if (order.kind === 'leave') this.#leave(order.socket);
    else if (order.kind === 'offer') this.#offer(order);
    else if (order.kind === 'carry') this.#flows.get(order.flow)?.carry(order.upstream);
    else this.#flows.get(order.flow)?.giveBack(0);
  }

  /** Adds what was lost since the last call. */
  count(): void {
    const unsent = unsentDatagrams();
    Atomics.add(this.#context.memory.lost, 0, unsent - this.#counted);
    this.#counted = unsent;
  }

  #open(socket: number, fd: number): void {
    const { poller } = udpMemory();
    const opened = new CarriedSocket(Descriptor.borrow(fd), this.#context.nowMs, (forwarded) => {
      this.#forward(socket, forwarded);
    });
    this.#sockets.set(socket, opened);
    poller.add(opened.descriptor, EPOLLIN, opened);
  }

  #leave(socket: number): void {
    const left = this.#sockets.get(socket);
    this.#sockets.delete(socket);
    for (const flow of this.#flows.values()) if (flow.socket === left) flow.giveBack(0);
    if (left !== undefined) udpMemory().poller.remove(left.descriptor);
    this.#context.post({ kind: 'left', socket });
  }

  #offer({ socket: number, flow: carried }: Extract<UdpOrder, { kind: 'offer' }>): void {
    const socket = this.#sockets.get(number);
    const { memory, taken, nowMs, post } = this.#context;
    const { id } = carried;
    if (socket === undefined) {
      post({ kind: 'returned', flow: id, error: 0 });
      return;
    }
    const flow = new ServedFlow(carried, {
      socket,
      memory,
      taken,
      nowMs,
      onReturned: (error, waiting) => {
        this.#flows.delete(id);
        post({ kind: 'returned', flow: id, error });
        if (waiting.length > 0) socket.forward(flow, waiting);
      },
    });
    this.#flows.set(id, flow);
    socket.flows.add(flow);
    post({ kind: 'ready', flow: id });
  }

  /** Passes datagrams of clients without a flow to the main thread. */
  #forward(socket: number, { peers, datagrams }: Forwarded): void {
    const { memory, post } = this.#context;
    const lengths = datagrams.map(({ length }) => length);
    const bytes = lengths.reduce((sum, length) => sum + length, 0);
    if (Atomics.load(memory.backlog, 0) + bytes > maxBacklogBytes) {
      Atomics.add(memory.lost, 0, datagrams.length);
      return;
    }
    Atomics.add(memory.backlog, 0, bytes);
    const batch: DatagramBatch = {
      peers: new Int32Array(datagrams.length * peerLayout.words),
      data: new Uint8Array(bytes),
      lengths,
    };
    let at = 0;
    for (const [index, datagram] of datagrams.entries()) {
      batch.peers.set(peers[index] as Int32Array, index * peerLayout.words);
      batch.data.set(datagram, at);
      at += datagram.length;
    }
    post({ kind: 'batch', socket, batch });
  }
}
