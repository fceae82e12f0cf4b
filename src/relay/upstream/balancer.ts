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
 * @returns every remote exactly once; the caller dials them in this order. The first one is chosen at once; the others are
 * put in order only if the caller asks for them.
 */
export type Balancer<R extends Choice> = (clientIp: string) => Iterable<R>;

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
  if (remotes.length < 2) return () => remotes;
  const weighted = remotes.map((remote, index) => ({ remote, weight: balance.weights[index] ?? 0 }));
  if (weighted.every(({ weight }) => weight === 0)) return () => remotes;
  if (balance.strategy === 'roundrobin') return roundRobin(weighted);
  if (balance.strategy === 'iphash') return ipHash(weighted, hashSeeds(hashed));
  if (balance.strategy === 'leastconnections') return leastConnections(weighted);
  return () => remotes;
}

type Weighted<R> = { readonly remote: R; readonly weight: number };

/** A remote that gets turns, and its place among all. */
type Candidate<R> = Weighted<R> & { readonly index: number };

/** Takes turns by weight. An ejected remote loses its turns, and the others share them. */
function roundRobin<R extends Choice>(weighted: readonly Weighted<R>[]): Balancer<R> {
  const active = weighted.flatMap((each, index) => (each.weight > 0 ? [{ ...each, index }] : []));
  const isEven = active.every(({ weight }) => weight === active[0]?.weight);
  const turn = isEven ? rotation(active) : smoothTurns(active);
  return () => startingWith(turn(), weighted);
}

/** Turns by equal weights, at a cost that does not grow with their number. @returns the place of the next one. */
function rotation<R extends Choice>(candidates: readonly Candidate<R>[]): () => number {
  let last = -1;
  return () => {
    const { length } = candidates;
    const after = (step: number): number => (last + step) % length;
    let step = 1;
    while (step < length && !isPreferred(candidates[after(step)]?.remote)) step += 1;
    last = isPreferred(candidates[after(step)]?.remote) ? after(step) : after(1);
    return candidates[last]?.index ?? 0;
  };
}

/**
 * Smooth weighted round robin: weights 4, 2, 1 give a b a c a b a. @returns the place of the next one.
 *
 * Source: nginx, "Upstream: smooth weighted round-robin balancing", commit 52327e0, 2012.
 */
function smoothTurns<R extends Choice>(active: readonly Candidate<R>[]): () => number {
  const credits = new Map(active.map(({ index }) => [index, 0]));
  return () => {
    const preferred = active.filter(({ remote }) => isPreferred(remote));
    return nextTurn(credits, preferred.length > 0 ? preferred : active);
  };
}

/** The index of the candidate whose turn it is; updates `credits`. */
function nextTurn(
  credits: Map<number, number>,
  candidates: readonly { weight: number; index: number }[],
): number {
  let [best, total, maxCredit] = [0, 0, -Infinity];
  for (const { weight, index } of candidates) {
    const credit = (credits.get(index) ?? 0) + weight;
    credits.set(index, credit);
    total += weight;
    if (credit > maxCredit) [best, maxCredit] = [index, credit];
  }
  credits.set(best, maxCredit - total);
  return best;
}

function isPreferred(remote: Choice | undefined): boolean {
  return remote?.isPreferred ?? true;
}

/** The remote at `first`, those after it, those before it, and last those of weight 0. */
function* startingWith<R>(first: number, weighted: readonly Weighted<R>[]): Iterable<R> {
  for (const isBackup of [false, true])
    for (let step = 0; step < weighted.length; step += 1) {
      const each = weighted[(first + step) % weighted.length];
      if (each !== undefined && (each.weight === 0) === isBackup) yield each.remote;
    }
}

/** Fewest connections per weight first, including the new one. Among equals, the one that was first least recently. */
function leastConnections<R extends Choice>(weighted: readonly Weighted<R>[]): Balancer<R> {
  const turn = rotation(weighted.map(({ remote }, index) => ({ remote, weight: 1, index })));
  return () => byRank(weighted, turn(), ({ remote, weight }) => ((remote.active ?? 0) + 1) / weight);
}

/** The rank of the remote at a place of the configuration: the lower, the sooner it is tried. */
type RankOf<R> = (each: Weighted<R>, index: number) => number;

/**
 * The remotes by the rank of each, the lowest first; those of one rank in the order that begins with `first`. To choose among
 * a thousand for each client, it makes nothing of each: only who asks for a second one has them ranked and sorted.
 */
function byRank<R extends Choice>(
  weighted: readonly Weighted<R>[],
  first: number,
  rankOf: RankOf<R>,
): Iterable<R> {
  const placeOf = (index: number): number => (index - first + weighted.length) % weighted.length;
  let best = -1;
  let bestRank = Infinity;
  for (let index = 0; index < weighted.length; index += 1) {
    const each = weighted[index];
    if (each === undefined || !isPreferred(each.remote)) continue;
    const rank = rankOf(each, index);
    const isLater = rank > bestRank || (rank === bestRank && placeOf(index) > placeOf(best));
    if (best >= 0 && isLater) continue;
    best = index;
    bestRank = rank;
  }
  return bestFirst(weighted[best]?.remote, () =>
    weighted
      .map((each, index) => ({ remote: each.remote, rank: rankOf(each, index), place: placeOf(index) }))
      .sort(before),
  );
}

/** A remote, and how soon it is tried: the lowest rank first, and of one rank the lowest place. */
type Ranked<R> = { readonly remote: R; readonly rank: number; readonly place: number };

function before(a: Ranked<unknown>, b: Ranked<unknown>): number {
  return a.rank === b.rank ? a.place - b.place : a.rank - b.rank; // of two infinite ones the difference is no number
}

function* bestFirst<R>(best: R | undefined, ranked: () => Ranked<R>[]): Iterable<R> {
  if (best !== undefined) yield best;
  for (const { remote } of ranked()) if (remote !== best) yield remote;
}

/**
 * Weighted rendezvous hashing: each remote scores the client by a hash of both addresses, and the highest score is
 * first. A client keeps its remote across processes and restarts; when a remote is added or removed, only its share
 * moves.
 *
 * Source: Thaler and Ravishankar, 1998; weights by Schindelhauer and Schomaker, 2005: score = -w / ln(h).
 */
function ipHash<R extends Choice>(weighted: readonly Weighted<R>[], seeds: readonly number[]): Balancer<R> {
  const isEven = weighted.every(({ weight }) => weight === weighted[0]?.weight);
  return (clientIp) => {
    const client = fnv1a(clientIp);
    const hashed = (index: number): number => mixed(client ^ (seeds[index] ?? 0));
    // Of equal weights the order of the scores is that of the hashes, which saves the logarithms.
    if (isEven) return byRank(weighted, 0, (_, index) => -hashed(index));
    return byRank(weighted, 0, ({ weight }, index) => weight / Math.log((hashed(index) + 0.5) / 2 ** 32));
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
