import { recordedError } from './error-record.ts';
import type { Order, Report } from './messages.ts';

type Pending = {
  readonly resolve: (addresses: readonly string[]) => void;
  readonly reject: (error: Error) => void;
};

/** Has the main thread look up names, whose answers all threads share. */
export class Lookups {
  readonly #post: (report: Report) => void;
  readonly #pending = new Map<number, Pending>();
  #seq = 0;

  constructor(post: (report: Report) => void) {
    this.#post = post;
  }

  /** The addresses of `host`. @throws the error of the lookup. */
  find(host: string): Promise<readonly string[]> {
    const seq = (this.#seq += 1);
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    this.#pending.set(seq, { resolve, reject });
    this.#post({ kind: 'look up', seq, host });
    return promise;
  }

  answer(order: Extract<Order, { kind: 'found' | 'not found' }>): void {
    const pending = this.#pending.get(order.seq);
    this.#pending.delete(order.seq);
    if (order.kind === 'found') pending?.resolve(order.addresses);
    else pending?.reject(recordedError(order.error));
  }
}
