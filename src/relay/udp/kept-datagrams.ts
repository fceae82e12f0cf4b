import type { Holding, MemoryBudget } from '../limits/memory-budget.ts';
import { datagramOverheadBytes } from '../limits/taken-memory.ts';

/**
 * Datagrams that wait while the remote's name is looked up, or its socket is opened; further ones are lost, as UDP allows. A client may
 * begin with a burst: one turn of the event loop receives 64.
 */
const maxWaiting = 256;
/** Bytes of these datagrams: as many of the usual size of Ethernet; the largest datagram fits. */
const maxWaitingBytes = maxWaiting * 1472;

/**
 * The datagrams of a client that an association keeps: those that wait until they can be sent, and the latest one that
 * was sent, for the next remote or address. They count in the memory budget, which drops them if memory is short.
 */
export class KeptDatagrams {
  readonly #holding: Holding;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #latest: Uint8Array | undefined;

  constructor(memory: MemoryBudget) {
    this.#holding = memory.hold(() => {
      this.drop();
    });
  }

  /** Keeps `datagram` until it can be sent; if too many wait, it is lost. */
  wait(datagram: Uint8Array): void {
    if (this.#waiting.length === maxWaiting || this.#waitingBytes + datagram.length > maxWaitingBytes) return;
    this.#waiting.push(new Uint8Array(datagram)); // its memory is used again
    this.#waitingBytes += datagram.length;
    this.#count();
  }

  /** Removes and returns those that wait. */
  takeWaiting(): readonly Uint8Array[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#count();
    return waiting;
  }

  /** Keeps `datagram`, which was sent, in place of an earlier one. */
  keepLatest(datagram: Uint8Array): void {
    this.#latest = new Uint8Array(datagram);
    this.#count();
  }

  /** No other remote needs the one that was sent. */
  forgetLatest(): void {
    if (this.#latest === undefined) return;
    this.#latest = undefined;
    this.#count();
  }

  /** Makes the latest one wait again, unless there is a later one. @returns whether any datagram waits. */
  waitAgain(): boolean {
    if (this.#waiting.length === 0 && this.#latest !== undefined) this.wait(this.#latest);
    return this.#waiting.length > 0;
  }

  /** Drops everything. */
  drop(): void {
    this.#latest = undefined;
    this.takeWaiting();
  }

  #count(): void {
    const latestBytes = this.#latest === undefined ? 0 : this.#latest.length + datagramOverheadBytes;
    this.#holding.resize(this.#waitingBytes + this.#waiting.length * datagramOverheadBytes + latestBytes);
  }
}
