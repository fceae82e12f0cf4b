import type { SocketAddress } from '../../config/address.ts';
import type { BalanceConfig } from '../../config/balance.ts';
import { balancer, type Balancer } from './balancer.ts';
import type { KnownOrder } from './remote-order.ts';
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
  order(clientIp: string): KnownOrder<Remote> & Iterable<Remote> {
    return new PreferredFirst(this.#balancer(clientIp), this.remotes.length);
  }
}

/** Not a generator, since those cost a kilobyte of garbage for each connection. */
class PreferredFirst implements KnownOrder<Remote>, Iterable<Remote> {
  readonly size: number;
  readonly #balanced: Iterator<Remote>;
  /** Those that are not preferred. */
  #others: Remote[] | undefined;
  #othersTried = 0;
  #isFirst = true;

  constructor(balanced: Iterable<Remote>, size: number) {
    this.#balanced = balanced[Symbol.iterator]();
    this.size = size;
  }

  next(): Remote | undefined {
    for (let result = this.#balanced.next(); result.done !== true; result = this.#balanced.next()) {
      const remote = result.value;
      if (remote.isPreferred) {
        if (this.#isFirst && !remote.isHealthy) remote.probe();
        this.#isFirst = false;
        return remote;
      }
      (this.#others ??= []).push(remote);
    }
    this.#othersTried += 1;
    return this.#others?.[this.#othersTried - 1];
  }

  *[Symbol.iterator](): Iterator<Remote> {
    for (let remote = this.next(); remote !== undefined; remote = this.next()) yield remote;
  }
}
