import { socketAddressText, type SocketAddress } from '../../config/address.ts';
import type { Balance } from '../../config/balance.ts';
import { fnv1a, mixed } from '../../lib/hash.ts';

/** A remote as a balancer sees it. */
export type Choice = SocketAddress & {
  /** What goes there now; 0 where it is not known. */
  readonly active?: number;
  /** Whether it is tried in its turn; true where it is not known. */
  readonly isPreferred?: boolean;
};

/**
 * Chooses the order in which to try the remotes of an endpoint.
 *
 * @param clientIp  textual IP address of the client, with no port; an IPv4-mapped one in IPv4.
 * @returns every remote, once each; the caller dials them in turn.
 */
export type Balancer<R extends Choice> = (clientIp: string) => readonly R[];

/**
 * The balancer of an endpoint with these `remotes`, `balance.weights` being theirs.
 *
 * @param hashed  the addresses by which IPHash keeps a client at a remote, in the order of `remotes`.
 */
export function balancer<R extends Choice>(
  balance: Balance,
  remotes: readonly R[],
  hashed: readonly SocketAddress[] = remotes,
): Balancer<R> {
  const weighted = remotes.map((remote, index) => ({ remote, weight: balance.weights[index] ?? 0 }));
  if (weighted.every(({ weight }) => weight === 0)) return () => remotes;
  if (balance.strategy === 'roundrobin') return roundRobin(weighted);
  if (balance.strategy === 'iphash') return ipHash(weighted, seeds(hashed));
  if (balance.strategy === 'leastconnections') return leastConnections(weighted);
  return () => remotes;
}

type Weighted<R> = { readonly remote: R; readonly weight: number };

/**
 * Smooth weighted round robin: weights 4, 2, 1 give a b a c a b a.
 *
 * Remotes that are not tried in their turn lose it, so that the others share theirs by weight.
 *
 * Source: nginx, "Upstream: smooth weighted round-robin balancing", commit 52327e0, 2012.
 */
function roundRobin<R extends Choice>(weighted: readonly Weighted<R>[]): Balancer<R> {
  const current = weighted.map(() => 0);
  const orders = weighted.map((_, first) => startingWith(first, weighted));
  const used = weighted.flatMap(({ remote, weight }, index) =>
    weight > 0 ? [{ remote, weight, index }] : [],
  );
  return () => {
    const preferred = used.filter(({ remote }) => isPreferred(remote));
    const best = nextTurn(current, preferred.length > 0 ? preferred : used);
    return orders[best] ?? [];
  };
}

/** Whose turn it is among `takers`, in whose `current` the turns are kept. */
function nextTurn(current: number[], takers: readonly { weight: number; index: number }[]): number {
  let [best, total, most] = [0, 0, -Infinity];
  for (const { weight, index } of takers) {
    const credit = (current[index] ?? 0) + weight;
    current[index] = credit;
    total += weight;
    if (credit > most) [best, most] = [index, credit];
  }
  current[best] = most - total;
  return best;
}

function isPreferred(remote: Choice): boolean {
  return remote.isPreferred ?? true;
}

/** Fewest connections per weight first, counting the one to come; of equals the one that was not first for longest. */
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

/** The remote at `first`, those after it, those before it; at the end those of weight 0. */
function startingWith<R>(first: number, weighted: readonly Weighted<R>[]): readonly R[] {
  const turned = [...weighted.slice(first), ...weighted.slice(0, first)];
  const [used, spare] = [
    turned.filter(({ weight }) => weight > 0),
    turned.filter(({ weight }) => weight === 0),
  ];
  return [...used, ...spare].map(({ remote }) => remote);
}

/**
 * Weighted rendezvous hashing: each remote draws a number from the client's address and its own, the
 * highest is first. A client keeps its remote across processes and restarts; another remote takes its
 * share and no other client moves.
 *
 * Source: Thaler and Ravishankar, 1998; weights by Schindelhauer and Schomaker, 2005: score = -w / ln(h).
 */
function ipHash<R extends Choice>(weighted: readonly Weighted<R>[], drawn: readonly number[]): Balancer<R> {
  return (clientIp) => {
    const client = fnv1a(clientIp);
    const scored = weighted.map(({ remote, weight }, index) => ({
      remote,
      score: -weight / Math.log((mixed(client ^ (drawn[index] ?? 0)) + 0.5) / 2 ** 32),
    }));
    return scored.sort((a, b) => b.score - a.score).map(({ remote }) => remote);
  };
}

/** What each remote draws; one that is listed again draws its own numbers. */
function seeds(remotes: readonly SocketAddress[]): number[] {
  const seen = new Map<string, number>();
  return remotes.map((remote) => {
    const text = socketAddressText(remote);
    const times = seen.get(text) ?? 0;
    seen.set(text, times + 1);
    return mixed(fnv1a(times === 0 ? text : `${text}#${String(times)}`));
  });
}
