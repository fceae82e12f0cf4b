import { constants } from '../kernel/constants.ts';
import { DatagramPeer } from '../kernel/datagram-peer.ts';
import { anySegmentBytes, type DatagramOutlet } from '../kernel/datagram-sender.ts';
import { Descriptor } from '../kernel/descriptor.ts';
import type { Watcher } from '../kernel/poller.ts';
import type { DatagramSink } from '../kernel/received-datagrams.ts';
import { datagramOverheadBytes, type ConnectionMemory } from '../limits/taken-memory.ts';
import { udpMemory } from '../net/udp-memory.ts';
import type { CarriedSocket } from './carried-socket.ts';
import { figure, figuresOfSlot, type CarriedFlow, type CarriedMemory } from './udp-messages.ts';

const { EPOLLIN, EAGAIN, EINTR } = constants;
/** Bytes that are kept while the main thread processes earlier ones, as many as a socket has room for; further ones are lost. */
const maxKeptBytes = 4 * 1024 * 1024;

/** What a served flow works with. */
export type ServedFlowContext = {
  readonly socket: CarriedSocket;
  readonly memory: CarriedMemory;
  /** The memory budget, which what is kept counts in. */
  readonly taken: ConnectionMemory;
  /** Now, by the clock of the main thread. */
  readonly nowMs: () => number;
  /** Called once. @param error  of the remote's socket, negative; 0 if there is none. @param kept  what was not sent. */
  readonly onReturned: (error: number, kept: readonly Uint8Array[]) => void;
};

/** A flow in a worker: takes what the client sends, and what the remote answers. */
export class ServedFlow extends DatagramPeer implements DatagramSink, Watcher, DatagramOutlet {
  readonly socket: CarriedSocket;
  /** The socket to the remote; undefined until `carry`, and once it is returned. */
  descriptor: Descriptor | undefined;
  maxSegmentBytes = anySegmentBytes;
  readonly #carried: CarriedFlow;
  readonly #context: ServedFlowContext;
  readonly #figures: Float64Array;
  readonly #at: number;
  readonly #answers: DatagramSink = {
    take: (datagram) => {
      this.#figures[this.#at + figure.fromUpstreamBytes] =
        this.#figure(figure.fromUpstreamBytes) + datagram.length;
      udpMemory().sender.add(this.socket, datagram, this);
    },
  };
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #isReturned = false;
  #nowMs = 0;

  constructor(carried: CarriedFlow, context: ServedFlowContext) {
    super(carried.client, 0);
    this.socket = context.socket;
    this.#carried = carried;
    this.#context = context;
    this.#figures = context.memory.figures;
    this.#at = carried.slot * figuresOfSlot;
  }

  /** Carries the flow from now on. @param fd  of the socket to the remote, which stays open until the flow is returned. */
  carry(fd: number): void {
    const { poller, sender } = udpMemory();
    this.descriptor = Descriptor.borrow(fd);
    poller.add(this.descriptor, EPOLLIN, this);
    const kept = this.#takeKept();
    this.#nowMs = this.#context.nowMs();
    sender.hold();
    for (const datagram of kept) this.take(datagram);
    sender.release();
  }

  /** A datagram of the client comes. @returns false if the flow is returned, and the main thread is to have it. */
  begin(nowMs: number): boolean {
    this.#nowMs = nowMs;
    const unansweredMs = this.#figure(figure.unansweredMs);
    const { silentMs, notBeforeMs } = this.#carried;
    const isSilent = unansweredMs > 0 && nowMs - unansweredMs >= silentMs && nowMs >= notBeforeMs;
    if (isSilent && this.descriptor !== undefined) this.giveBack(0);
    return !this.#isReturned;
  }

  /** A datagram of the client, after `begin`. */
  take(datagram: Uint8Array): void {
    if (this.#isReturned) this.socket.forward(this, [datagram]);
    else if (this.descriptor === undefined) this.#keep(datagram);
    else {
      const figures = this.#figures;
      figures[this.#at + figure.lastMs] = this.#nowMs;
      figures[this.#at + figure.fromClientBytes] = this.#figure(figure.fromClientBytes) + datagram.length;
      if (this.#figure(figure.unansweredMs) === 0) figures[this.#at + figure.unansweredMs] = this.#nowMs;
      udpMemory().sender.add(this, datagram, undefined, this.#carried.header);
    }
  }

  /** The remote has answered, or its socket has an error. */
  onEvents(): void {
    const { received, sender } = udpMemory();
    if (!this.#carried.isAnswered) this.giveBack(0); // which leaves the answer to the main thread
    if (this.descriptor === undefined) return;
    const count = received.receive(this.descriptor);
    if (count < 0) {
      if (count !== -EAGAIN && count !== -EINTR) this.giveBack(count);
      return;
    }
    this.#figures[this.#at + figure.lastMs] = this.#context.nowMs();
    this.#figures[this.#at + figure.unansweredMs] = 0;
    sender.hold();
    for (let index = 0; index < count; index += 1) received.deliver(index, this.#answers);
    sender.release();
  }

  onSendError(number: number): void {
    this.giveBack(number);
  }

  /** Returns the flow to the main thread. @param error  of the remote's socket, negative; 0 if there is none. */
  giveBack(error: number): void {
    if (this.#isReturned) return;
    this.#isReturned = true;
    this.socket.flows.delete(this);
    const { descriptor } = this;
    if (descriptor !== undefined) {
      const { poller, sender } = udpMemory();
      sender.flushOf(this);
      poller.remove(descriptor);
      this.descriptor = undefined;
    }
    this.#context.onReturned(error, this.#takeKept());
  }

  #keep(datagram: Uint8Array): void {
    const { memory, taken } = this.#context;
    const bytes = datagram.length + datagramOverheadBytes;
    if (this.#keptBytes + bytes > maxKeptBytes || taken.isTight) {
      Atomics.add(memory.lost, 0, 1);
      return;
    }
    this.#kept.push(new Uint8Array(datagram)); // its memory is used again
    this.#keptBytes += bytes;
    taken.take(bytes);
  }

  #takeKept(): readonly Uint8Array[] {
    const kept = this.#kept;
    this.#context.taken.release(this.#keptBytes);
    this.#kept = [];
    this.#keptBytes = 0;
    return kept;
  }

  #figure(offset: number): number {
    return this.#figures[this.#at + offset] ?? 0;
  }
}
