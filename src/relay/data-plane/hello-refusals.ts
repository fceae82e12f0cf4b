import { clientText } from '../../lib/client-address.ts';
import type { Address } from '../net/channel.ts';
import type { Warn } from '../stats/log-limiter.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import { UnknownNameError } from '../transport/client-hello.ts';
import { LateHelloError } from '../transport/waiting-client.ts';
import type { HelloCounts } from './data-plane.ts';

/** What refusals of ClientHellos work with. */
export type HelloRefusalsOptions = {
  /** The name of the endpoint that counts them. */
  readonly endpoint: () => string;
  readonly warn: Warn;
  readonly errors: RecentErrors;
};

/** Counts, logs and remembers the TLS clients of a port that were turned away before their endpoint was known. */
export class HelloRefusals {
  readonly #options: HelloRefusalsOptions;
  readonly #counts = { unknownName: 0, invalid: 0, late: 0 };

  constructor(options: HelloRefusalsOptions) {
    this.#options = options;
  }

  get counts(): HelloCounts {
    return { ...this.#counts };
  }

  /** `client` was turned away because of `error`. */
  add({ address, port }: Address, error: Error): void {
    this.#counts[reasonOf(error)] += 1;
    const { errors, warn } = this.#options;
    const endpoint = this.#options.endpoint();
    errors.add({ endpoint, side: 'client', error });
    const fields = { endpoint, client: clientText(address, port), side: 'client', err: error };
    warn(fields, 'client rejected before its endpoint was known');
  }
}

function reasonOf(error: Error): keyof HelloCounts {
  if (error instanceof UnknownNameError) return 'unknownName';
  return error instanceof LateHelloError ? 'late' : 'invalid';
}
