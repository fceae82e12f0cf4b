import { maxAdminConnections } from '../../telemetry/connection-slots.ts';

/** Descriptors of `openFiles` kept for the program itself: event loop, files, name lookups, connections of the admin server. */
export function reserveOf(openFiles: number): number {
  return 32 + maxAdminConnections(openFiles);
}

/** Descriptors of a TCP client: its own and the upstream's, which is reserved for it while it waits. */
export const clientDescriptors = 2;

/** What decides how large the budget is. */
export type DescriptorBudgetOptions = {
  /** How many files the process may have open. */
  readonly limit: number;
  /** How many listening sockets are open. */
  readonly listening: () => number;
  /** Called after each change. */
  readonly onChange?: () => void;
};

/**
 * The file descriptors that clients may use. A process without any makes libuv accept and close connections
 * silently, so the relay stops before that. A TCP client uses two, a UDP association one.
 */
export class DescriptorBudget {
  readonly #options: DescriptorBudgetOptions;
  #used = 0;

  constructor(options: DescriptorBudgetOptions) {
    this.#options = options;
  }

  /** Whether `count` more may be used. */
  hasRoom(count: number): boolean {
    return this.#used + count <= this.#total;
  }

  take(count: number): void {
    this.#used += count;
    this.#options.onChange?.();
  }

  release(count: number): void {
    this.take(-count);
  }

  /** One client is served, however low the limit is. */
  get #total(): number {
    const { limit, listening } = this.#options;
    return Math.max(clientDescriptors, limit - reserveOf(limit) - listening());
  }
}
