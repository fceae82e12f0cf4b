import { backoffMs, type Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { UdpSockets } from './udp-sockets.ts';
import type { WorkerThread } from './worker-thread.ts';

/** A worker that ends is replaced at once; one that did not run for `stableMs` is replaced later each time. */
const replaceBackoff: Backoff = { initialMs: 1000, maxMs: 30_000 };
const stableMs = 60_000;

/** The place of a worker in a pool. */
export class WorkerSlot {
  /** Its number among the threads that share memory. */
  readonly thread: number;
  /** The UDP of the present worker and of those that come after it. */
  readonly udp = new UdpSockets();
  /** The present worker; undefined while there is none. */
  worker: WorkerThread | undefined;
  /** Whether clients can be handed over to the worker. */
  isReady = false;
  readonly #clock: Clock;
  #startedMs = 0;
  /** How many in a row did not run for `stableMs`. */
  #failures = 0;

  constructor(thread: number, clock: Clock) {
    this.thread = thread;
    this.#clock = clock;
  }

  started(worker: WorkerThread): void {
    this.worker = worker;
    this.#startedMs = this.#clock.monotonicMs();
  }

  /** Its worker has ended. @returns after how long to start the next one. */
  ended(): number {
    this.worker = undefined;
    this.isReady = false;
    this.udp.detach();
    this.#failures = this.#clock.monotonicMs() - this.#startedMs < stableMs ? this.#failures + 1 : 0;
    return this.#failures <= 1 ? 0 : backoffMs(replaceBackoff, this.#failures - 1, Math.random());
  }
}
