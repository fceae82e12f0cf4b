import type { Socket } from 'node:net';
import type { Clock } from '../lib/clock.ts';
import { openFilesLimit } from '../lib/open-files.ts';

/**
 * Connections of an admin server at a time, for a process that may have `openFiles` files open: 32, but no more than a
 * quarter of its files. The relay keeps as many file descriptors free for them.
 */
export function maxAdminConnections(openFiles: number): number {
  return Math.min(32, Math.floor(openFiles / 4));
}

/** How long a connection may go without a complete request: for its first one, and between two. */
export const idleMs = 5000;

/** How long a response may take until the client has received it. */
const responseMs = 10_000;

type Slot = {
  readonly socket: Socket;
  readonly address: string;
  /** Requests whose response is not yet sent. */
  requests: number;
  stopTimer: () => void;
};

/**
 * The connections of an admin server. Their number is limited, and each has a deadline, so that a client that
 * sends nothing, sends slowly or does not read holds a slot for seconds only.
 *
 * When all slots are in use, a new connection takes the slot of an idle one: of the address with the most
 * connections, the one that has been idle for longest. So a client that opens many loses its own, and a probe gets in.
 */
export class ConnectionSlots {
  readonly #clock: Clock;
  readonly #max = maxAdminConnections(openFilesLimit());
  /** Of the idle ones, the one that has been idle for longest comes first. */
  readonly #slots = new Map<Socket, Slot>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Gives a new connection a slot, or closes it if every slot has a request in progress. */
  open(socket: Socket): void {
    if (this.#slots.size >= this.#max && !this.#evict()) {
      socket.destroy();
      return;
    }
    const slot = { socket, address: socket.remoteAddress ?? '', requests: 0, stopTimer: () => undefined };
    this.#slots.set(socket, slot);
    this.#limit(slot, idleMs);
    socket.once('close', () => {
      slot.stopTimer();
      this.#slots.delete(socket);
    });
  }

  /** A request of the connection is complete. */
  begin(socket: Socket): void {
    const slot = this.#slots.get(socket);
    if (slot === undefined) return;
    slot.requests += 1;
    this.#limit(slot, responseMs);
  }

  /** The response to a request of the connection is sent. */
  end(socket: Socket): void {
    const slot = this.#slots.get(socket);
    if (slot === undefined) return;
    slot.requests -= 1;
    if (slot.requests > 0) return;
    this.#slots.delete(socket);
    this.#slots.set(socket, slot);
    this.#limit(slot, idleMs);
  }

  #limit(slot: Slot, ms: number): void {
    slot.stopTimer();
    slot.stopTimer = this.#clock.after(ms, () => {
      this.#close(slot);
    });
  }

  /** @returns whether there was an idle one. */
  #evict(): boolean {
    const slots = [...this.#slots.values()];
    const held = (slot: Slot): number => slots.filter(({ address }) => address === slot.address).length;
    const [first, ...others] = slots.filter(({ requests }) => requests === 0);
    if (first === undefined) return false;
    this.#close(others.reduce((most, slot) => (held(slot) > held(most) ? slot : most), first));
    return true;
  }

  #close(slot: Slot): void {
    slot.stopTimer();
    this.#slots.delete(slot.socket);
    slot.socket.destroy();
  }
}
