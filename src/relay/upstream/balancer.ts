import { socketAddressText, type SocketAddress } from '../../config/address.ts';
import type { BalanceConfig } from '../../config/balance.ts';
import { fnv1a, mixed } from '../../lib/hash.ts';

/** A remote as a balancer sees it. */
export type Choice = SocketAddress & {
  /** Open connections or associations; 0 if unknown. */
  readonly active?: number;
  /** Whether it is tried in its turn, instead of last; true if unknown. */
  readonly isPreferred?: boolean;
};

/**
 * Chooses the order in which to try the remotes of an endpoint.
 *
 * @param clientIp  textual IP address of the client, with no port; an IPv4-mapped one as IPv4.
 * @returns every remote exactly once; the caller dials them in this order.
 */
export type Balancer<R extends Choice> = (clientIp: string) => readonly R[];

/**
 * The balancer of an endpoint. `balance.weights` are in the order of `remotes`.
 *
 * @param hashed  the addresses that IPHash hashes in place of those of `remotes`, in the same order.
 */
export function balancer<R extends Choice>(
  balance: BalanceConfig,
  remotes: readonly R[],
  hashed: readonly SocketAddress[] = remotes,
): Balancer<R> {
  const weighted = remotes.map((remote, index) => ({ remote, weight: balance.weights[index] ?? 0 }));
  if (weighted.every(({ weight }) => weight === 0)) return () => remotes;
  if (balance.strategy === 'roundrobin') return roundRobin(weighted);
  if (balance.strategy === 'iphash') return ipHash(weighted, hashSeeds(hashed));
  if (balance.strategy === 'leastconnections') return leastConnections(weighted);
  return () => remotes;
}

type Weighted<R> = { readonly remote: R; readonly weight: number };

/**
 * Smooth weighted round robin: weights 4, 2, 1 give a b a c a b a.
 *
 * An ejected remote loses its turns, and the others share them by weight.
 *
 * Source: nginx, "Upstream: smooth weighted round-robin balancing", commit 52327e0, 2012.
 */
function roundRobin<R extends Choice>(weighted: readonly Weighted<R>[]): Balancer<R> {
  const credits = weighted.map(() => 0);
  const orders = weighted.map((_, first) => startingWith(first, weighted));
  const active = weighted.flatMap(({ remote, weight }, index) =>
    weight > 0 ? [{ remote, weight, index }] : [],
  );
  return () => {
    const preferred = active.filter(({ remote }) => isPreferred(remote));
    const best = nextTurn(credits, preferred.length > 0 ? preferred : active);
    return orders[best] ?? [];
  };
}

/** The index of the candidate whose turn it is; updates `credits`. */
function nextTurn(credits: number[], candidates: readonly { weight: number; index: number }[]): number {
  let [best, total, maxCredit] = [0, 0, -Infinity];
  for (const { weight, index } of candidates) {
    const credit = (credits[index] ?? 0) + weight;
    credits[index] = credit;
    total += weight;
    if (credit > maxCredit) [best, maxCredit] = [index, credit];
  }
  credits[best] = maxCredit - total;
  return best;
}

function isPreferred(remote: Choice): boolean {
  return remote.isPreferred ?? true;
}

/** Fewest connections per weight first, including the new one. Among equals, the one that was first least recently. */
function leastConnections<R extends Choice>(weighted: readonly Weighted<R>[]): Balancer<R> {
  const turns = roundRobin(weighted.map(({ remote }) => ({ remote, weight: 1 })));
  const weights = new Map(weighted.map(({ remote, weight }) => [remote, weight]));
  return (clientIp) => {
    const loads = turns(clientIp).map((remote) => {
      return { remote, load: ((remote.active ?? 0) + 1) / (weights.get(remote) ?? 0) };
    });
    return loads.sort((a, b) => (a.load === b.load ? 0 : a.load - b.load)).map(({ remote }) => remote);
  };
}

/** The remote at `first`, those after it, those before it, and last those of weight 0. */
function startingWith<R>(first: number, weighted: readonly Weighted<R>[]): readonly R[] {
  const rotated = [...weighted.slice(first), ...weighted.slice(0, first)];
  const [active, backup] = [
    rotated.filter(({ weight }) => weight > 0),
    rotated.filter(({ weight }) => weight === 0),
  ];
  return [...active, ...backup].map(({ remote }) => remote);
}

/**
 * Weighted rendezvous hashing: each remote scores the client by a hash of both addresses, and the highest score is
 * first. A client keeps its remote across processes and restarts; when a remote is added or removed, only its share
 * moves.
 *
 * Source: Thaler and Ravishankar, 1998; weights by Schindelhauer and Schomaker, 2005: score = -w / ln(h).
 */
function ipHash<R extends Choice>(weighted: readonly Weighted<R>[], seeds: readonly number[]): Balancer<R> {
  return (clientIp) => {
    const client = fnv1a(clientIp);
    const scored = weighted.map(({ remote, weight }, index) => ({
      remote,
      score: -weight / Math.log((mixed(client ^ (seeds[index] ?? 0)) + 0.5) / 2 ** 32),
    }));
    return scored.sort((a, b) => b.score - a.score).map(({ remote }) => remote);
  };
}

/** The seed of each remote's hash; differs for an address that is listed again. */
function hashSeeds(remotes: readonly SocketAddress[]): number[] {
  const counts = new Map<string, number>();
  return remotes.map((remote) => {
    const text = socketAddressText(remote);
    const count = counts.get(text) ?? 0;
    counts.set(text, count + 1);
    return mixed(fnv1a(count === 0 ? text : `${text}#${String(count)}`));
  });
}
