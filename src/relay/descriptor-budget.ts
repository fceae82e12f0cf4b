/** What of the limit is left to the program itself: event loop, files, name lookups, admin server, health checks. */
const reserve = 48;
/** The most that is kept free for clients that wait. */
const mostForWaiting = 1024;

/** Clients that wait until there is room. */
export type Waiting = {
  /** Since when the first of them waits. */
  readonly oldestMs: number;
  /** Serves the first of them, if there is room. @returns whether it did. */
  readonly serveNext: () => boolean;
};

/** What decides how much there is. */
export type DescriptorBudgetOptions = {
  /** How many files the process may have open. */
  readonly limit: number;
  /** How many listening sockets are open. */
  readonly listening: () => number;
};

/**
 * The file descriptors that clients may use: once they are at an end libuv accepts and closes connections
 * in silence, so the relay stops before. A TCP connection takes two, a UDP association or a waiting client one.
 */
export class DescriptorBudget {
  readonly #options: DescriptorBudgetOptions;
  readonly #waiting = new Set<Waiting>();
  #used = 0;

  constructor(options: DescriptorBudgetOptions) {
    this.#options = options;
  }

  /** Whether `count` more may be used to serve. */
  hasRoom(count: number): boolean {
    const total = this.#total();
    return this.#used + count <= total - Math.min(mostForWaiting, Math.floor(total / 4));
  }

  /** Whether one more client may wait. */
  hasRoomToWait(): boolean {
    return this.#used < this.#total();
  }

  take(count: number): void {
    this.#used += count;
  }

  /** Takes `count` back; whoever waits longest is served. */
  giveBack(count: number): void {
    this.#used -= count;
    this.serveWaiting();
  }

  /** Serves those who wait while there is room, the oldest first. */
  serveWaiting(): void {
    while (this.#waiting.size > 0 && this.#byAge().some((waiting) => waiting.serveNext()));
  }

  /** To be served, from now on, when there is room. */
  enter(waiting: Waiting): void {
    this.#waiting.add(waiting);
  }

  leave(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  #byAge(): Waiting[] {
    return [...this.#waiting].sort((a, b) => a.oldestMs - b.oldestMs);
  }

  #total(): number {
    return this.#options.limit - reserve - this.#options.listening();
  }
}
