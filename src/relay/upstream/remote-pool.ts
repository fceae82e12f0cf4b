import type { SocketAddress } from '../../config/address.ts';
import type { BalanceConfig } from '../../config/balance.ts';
import { balancer, type Balancer } from './balancer.ts';
import type { Remote } from './remote.ts';

/** What orders the remotes of a pool. */
export type RemotePoolOptions = {
  /** Its weights are in the order of the remotes. */
  readonly balance: BalanceConfig;
  /**
   * The addresses that IPHash hashes: those of the endpoint's first port, so that a client keeps its host on every port.
   */
  readonly hashed: readonly SocketAddress[];
  /** Its place among the backends of the port. */
  readonly position: number;
};

/** The remotes of one backend at one port of an endpoint, for one protocol. */
export class RemotePool {
  /** In the order of the configuration. */
  readonly remotes: readonly Remote[];
  /** Its place among the backends of the port. */
  readonly position: number;
  readonly #balancer: Balancer<Remote>;

  constructor(remotes: readonly Remote[], { balance, hashed, position }: RemotePoolOptions) {
    this.remotes = remotes;
    this.position = position;
    this.#balancer = balancer(balance, remotes, hashed);
  }

  /**
   * Every remote in the order in which to try them for a client. Ejected ones come last until their backoff is over;
   * then one client probes them.
   *
   * @param clientIp  textual IP address with no port; an IPv4-mapped one as IPv4.
   */
  order(clientIp: string): Iterable<Remote> {
    return preferredFirst(this.#balancer(clientIp));
  }
}

function* preferredFirst(order: Iterable<Remote>): Iterable<Remote> {
  const others: Remote[] = [];
  let isFirst = true;
  for (const remote of order) {
    if (remote.isPreferred) {
      if (isFirst && !remote.isHealthy) remote.probe();
      isFirst = false;
      yield remote;
    } else others.push(remote);
  }
  yield* others;
}
