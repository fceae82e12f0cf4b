import { socketAddressText, type SocketAddress } from '../config/address.ts';
import type { Balance } from '../config/balance.ts';

/**
 * Chooses the order in which to try the remotes of an endpoint.
 *
 * @param clientIp  textual IP address of the client, with no port; an IPv4-mapped one in IPv4.
 * @returns every remote, once each; the caller dials them in turn.
 */
export type Balancer = (clientIp: string) => readonly SocketAddress[];

/** The balancer of an endpoint with these `remotes`, `balance.weights` being theirs. */
export function balancer(balance: Balance, remotes: readonly SocketAddress[]): Balancer {
  const weighted = remotes.map((remote, index) => ({ remote, weight: balance.weights[index] ?? 0 }));
  if (balance.strategy === 'off' || weighted.every(({ weight }) => weight === 0)) return () => remotes;
  return balance.strategy === 'roundrobin' ? roundRobin(weighted) : ipHash(weighted);
}

type Weighted = { readonly remote: SocketAddress; readonly weight: number };

/**
 * Smooth weighted round robin: weights 4, 2, 1 give a b a c a b a.
 *
 * Source: nginx, "Upstream: smooth weighted round-robin balancing", commit 52327e0, 2012.
 */
function roundRobin(weighted: readonly Weighted[]): Balancer {
  const total = sum(weighted.map(({ weight }) => weight));
  const current = weighted.map(() => 0);
  const orders = weighted.map((_, first) => startingWith(first, weighted));
  return () => {
    let best = 0;
    for (const [index, { weight }] of weighted.entries()) {
      current[index] = (current[index] ?? 0) + weight;
      if ((current[index] ?? 0) > (current[best] ?? 0)) best = index;
    }
    current[best] = (current[best] ?? 0) - total;
    return orders[best] ?? [];
  };
}

/** The remote at `first`, those after it, those before it; at the end those of weight 0. */
function startingWith(first: number, weighted: readonly Weighted[]): readonly SocketAddress[] {
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
function ipHash(weighted: readonly Weighted[]): Balancer {
  const seeded = withSeeds(weighted);
  return (clientIp) => {
    const client = fnv1a(clientIp);
    const scored = seeded.map(({ remote, weight, seed }) => ({
      remote,
      score: -weight / Math.log((mixed(client ^ seed) + 0.5) / 2 ** 32),
    }));
    return scored.sort((a, b) => b.score - a.score).map(({ remote }) => remote);
  };
}

/** A remote that is listed again draws its own numbers. */
function withSeeds(weighted: readonly Weighted[]): (Weighted & { readonly seed: number })[] {
  const seen = new Map<string, number>();
  return weighted.map(({ remote, weight }) => {
    const text = socketAddressText(remote);
    const times = seen.get(text) ?? 0;
    seen.set(text, times + 1);
    return { remote, weight, seed: mixed(fnv1a(times === 0 ? text : `${text}#${String(times)}`)) };
  });
}

/** 32-bit FNV-1a over the UTF-8 bytes of `text`. Source: Fowler, Noll, Vo; draft-eastlake-fnv, section 2. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** `value` with every bit depending on every bit, in 0..2^32-1. Source: A. Appleby, MurmurHash3, fmix32. */
function mixed(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
