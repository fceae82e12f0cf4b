import type { ObjectKey } from '../../kube/object.ts';
import type { Clock } from '../../lib/clock.ts';

/** The least time between two configurations of one Gateway. */
const floorMs = 1_000;

type Written = { readonly hash: string; readonly atMs: number };

/**
 * Spaces the configurations of each Gateway: the first is written at once, and those that follow within a second are one, the
 * last. Endpoints may change hundreds of times a second, and each configuration costs a write of its ConfigMap and of each Pod.
 */
export class Pacer {
  readonly #clock: Clock;
  readonly #written = new Map<ObjectKey, Written>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long another configuration of `key` has to wait, in milliseconds; 0 if it need not. */
  delayMs(key: ObjectKey): number {
    const { atMs = -Infinity } = this.#written.get(key) ?? {};
    return Math.max(0, Math.ceil(atMs + floorMs - this.#clock.monotonicMs()));
  }

  /** How long the configuration with this hash has to wait, in milliseconds; 0 if it need not, or is the last one. */
  waitMs(key: ObjectKey, hash: string): number {
    return this.#written.get(key)?.hash === hash ? 0 : this.delayMs(key);
  }

  /** Records that the configuration with this hash was written, if it is another one than before. */
  written(key: ObjectKey, hash: string): void {
    if (this.#written.get(key)?.hash === hash) return;
    this.#written.set(key, { hash, atMs: this.#clock.monotonicMs() });
  }

  /** Forgets `key`, whose Gateway is gone. */
  forget(key: ObjectKey): void {
    this.#written.delete(key);
  }
}
