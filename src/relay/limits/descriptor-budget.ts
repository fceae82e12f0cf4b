import { maxAdminConnections } from '../../telemetry/connection-slots.ts';
import type { DescriptorAllowance } from '../net/channel.ts';
import { OwnCount, type Count } from './count.ts';

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
  /** Shared with other threads that use descriptors; its own by default. */
  readonly used?: Count;
};

/**
 * The file descriptors that clients may use. A process without any makes libuv accept and close connections
 * silently, so the relay stops before that. A TCP client uses two, a UDP association one.
 */
export class DescriptorBudget implements DescriptorAllowance {
  readonly #options: DescriptorBudgetOptions;
  readonly #used: Count;

  constructor(options: DescriptorBudgetOptions) {
    this.#options = options;
    this.#used = options.used ?? new OwnCount();
  }

  /** Whether `count` more may be used. */
  hasRoom(count: number): boolean {
    return this.#used.value + count <= this.total;
  }

  take(count: number): void {
    this.#used.add(count);
    this.#options.onChange?.();
  }

  release(count: number): void {
    this.take(-count);
  }

  /** How many may be used at a time. One client is served, however low the limit is. */
  get total(): number {
    const { limit, listening } = this.#options;
    return Math.max(clientDescriptors, limit - reserveOf(limit) - listening());
  }
}
