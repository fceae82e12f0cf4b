import type { EndpointConfig } from '../../config/relay-config.ts';
import type { DialTarget } from '../upstream/dial.ts';
import type { Order } from './messages.ts';

/** What a worker knows of an endpoint. */
type Known = { readonly config: EndpointConfig; readonly numbers: Map<DialTarget, number> };

/** What a worker knows of endpoints and remotes: each is told once, before it is named. */
export class KnownEndpoints {
  readonly #post: (order: Order) => void;
  readonly #known = new Map<string, Known>();

  constructor(post: (order: Order) => void) {
    this.#post = post;
  }

  /** The worker serves connections of the endpoint `config` by it from now on. */
  tell(config: EndpointConfig): void {
    if (this.#known.get(config.name)?.config !== config) this.#newNumbers(config);
  }

  /** The numbers of `remotes`. @param config  is told if the worker does not know its endpoint any more. */
  numbersOf(config: EndpointConfig, remotes: readonly DialTarget[]): number[] {
    const { name: endpoint } = config;
    const numbers = this.#known.get(endpoint)?.numbers ?? this.#newNumbers(config);
    return remotes.map((remote) => {
      const known = numbers.get(remote);
      if (known !== undefined) return known;
      const { host, port, ip, text } = remote;
      this.#post({ kind: 'remote', endpoint, remote: { host, port, text, ...(ip !== undefined && { ip }) } });
      numbers.set(remote, numbers.size);
      return numbers.size - 1;
    });
  }

  #newNumbers(config: EndpointConfig): Known['numbers'] {
    const numbers: Known['numbers'] = new Map();
    this.#known.set(config.name, { config, numbers });
    this.#post({ kind: 'configure', config });
    return numbers;
  }

  /** Tells what has changed of known endpoints, for their open connections; those not in `endpoints` are forgotten. */
  update(endpoints: ReadonlyMap<string, EndpointConfig>): void {
    for (const name of [...this.#known.keys()]) {
      const config = endpoints.get(name);
      if (config !== undefined) this.tell(config);
      else if (this.#known.delete(name)) this.#post({ kind: 'forget', endpoint: name });
    }
  }
}
