import { socketAddressText } from '../config/address.ts';
import type { EndpointConfig } from '../config/relay-config.ts';
import { balancer, type Balancer } from './balancer.ts';
import { Remote, type RemoteContext } from './remote.ts';

/** The remotes of an endpoint, for one protocol: what is known of them outlives a reload. */
export class RemotePool {
  readonly #context: Omit<RemoteContext, 'endpoint'>;
  #remotes: readonly Remote[] = [];
  #balancer: Balancer<Remote> = () => [];

  constructor(config: EndpointConfig, context: Omit<RemoteContext, 'endpoint'>) {
    this.#context = context;
    this.configure(config);
  }

  /** In the order of the configuration. */
  get remotes(): readonly Remote[] {
    return this.#remotes;
  }

  /** Uses the remotes of `config`; those that are known stay what they are. */
  configure({ name, balance, remotes }: EndpointConfig): void {
    const known = [...this.#remotes];
    this.#remotes = remotes.map((address) => {
      const index = known.findIndex(({ text }) => text === socketAddressText(address));
      const [same] = index === -1 ? [] : known.splice(index, 1);
      return same ?? new Remote(address, { ...this.#context, endpoint: name });
    });
    this.#balancer = balancer(balance, this.#remotes);
  }

  /**
   * Every remote in the order in which to try them for a client; those whose dials failed come last, until
   * their backoff is over: then one client tries again.
   *
   * @param clientIp  textual IP address with no port; an IPv4-mapped one in IPv4.
   */
  order(clientIp: string): readonly Remote[] {
    const order = this.#balancer(clientIp);
    if (order.every(({ isWell }) => isWell)) return order;
    const preferred = order.filter(({ isPreferred }) => isPreferred);
    const [first] = preferred;
    const ordered = [...preferred, ...order.filter(({ isPreferred }) => !isPreferred)];
    if (first?.isWell === false) first.probe();
    return ordered;
  }
}
