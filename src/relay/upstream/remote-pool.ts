import type { SocketAddress } from '../../config/address.ts';
import type { BalanceConfig } from '../../config/balance.ts';
import { balancer, type Balancer } from './balancer.ts';
import type { Remote } from './remote.ts';

/** The remotes of one port of an endpoint, for one protocol. */
export class RemotePool {
  /** In the order of the configuration. */
  readonly remotes: readonly Remote[];
  readonly #balancer: Balancer<Remote>;

  /**
   * @param hashed  the addresses that IPHash hashes: those of the endpoint's first port, so that a client keeps its
   * host on every port.
   */
  constructor(remotes: readonly Remote[], balance: BalanceConfig, hashed: readonly SocketAddress[]) {
    this.remotes = remotes;
    this.#balancer = balancer(balance, remotes, hashed);
  }

  /**
   * Every remote in the order in which to try them for a client. Ejected ones come last until their backoff is over;
   * then one client probes them.
   *
   * @param clientIp  textual IP address with no port; an IPv4-mapped one as IPv4.
   */
  order(clientIp: string): readonly Remote[] {
    const order = this.#balancer(clientIp);
    if (order.every(({ isHealthy }) => isHealthy)) return order;
    const preferred = order.filter(({ isPreferred }) => isPreferred);
    const [first] = preferred;
    const ordered = [...preferred, ...order.filter(({ isPreferred }) => !isPreferred)];
    if (first?.isHealthy === false) first.probe();
    return ordered;
  }
}
