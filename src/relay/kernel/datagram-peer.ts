import { constants } from './constants.ts';
import type { Where } from './errno.ts';
import { SocketAddressMemory } from './socket-address.ts';
import { layouts } from './structs.ts';

const { AF_INET, AF_INET6 } = constants;
const { sockaddr_in, sockaddr_in6 } = layouts;
const wordBytes = 4;

/** Where the words of a peer are: its socket address, then the address of this host that it has sent to. */
export const peerLayout = {
  /** Words of the socket address, a `sockaddr_in` or a `sockaddr_in6`. */
  name: sockaddr_in6.size / wordBytes,
  words: sockaddr_in6.size / wordBytes + 4,
} as const;

/** Words of peers, one peer after the other. */
export type PeerWords = Int32Array;

const decoder = new SocketAddressMemory();
const seed = (Math.random() * 0x1_0000_0000) | 0; // unknown to strangers, who could send from colliding addresses

/** The other side of datagrams: its socket address, and the address of this host that it has sent to, if that is known. */
export class DatagramPeer {
  readonly words: PeerWords;
  /** The next one in the same row of a `PeerMap`. */
  next: this | undefined;
  /** Whether what is sent to it leaves from the address that it has sent to; otherwise the system chooses one. */
  hasSource: boolean;

  /** @param words  of several peers. @param at  where its own begin. */
  constructor(words: PeerWords, at: number) {
    this.words = words.slice(at, at + peerLayout.words);
    this.hasSource = this.words.subarray(peerLayout.name).some((word) => word !== 0);
  }

  /** Its IP address and port. */
  get where(): Where {
    const { words } = this;
    decoder.bytes.set(new Uint8Array(words.buffer, words.byteOffset, decoder.bytes.length));
    return decoder.get();
  }

  /** The address of this host that it has sent to; undefined if that is not known. */
  get asked(): string | undefined {
    if (!this.hasSource) return undefined;
    const { words, isIpv4 } = this;
    const name = new Int32Array(peerLayout.name);
    const [family, address] = isIpv4
      ? [AF_INET, sockaddr_in.offsets.sin_addr]
      : [AF_INET6, sockaddr_in6.offsets.sin6_addr];
    name[0] = family;
    name.set(
      isIpv4 ? words.subarray(peerLayout.name, peerLayout.name + 1) : words.subarray(peerLayout.name),
      address / wordBytes,
    );
    const zone = sockaddr_in6.offsets.sin6_scope_id / wordBytes;
    if (!isIpv4) name[zone] = words[zone] ?? 0; // both are on the same link
    decoder.bytes.set(new Uint8Array(name.buffer));
    return decoder.get().address;
  }

  /** Whether it has a `sockaddr_in`. */
  get isIpv4(): boolean {
    return ((this.words[0] ?? 0) & 0xffff) === AF_INET;
  }
}

/** Finds peers by their words, without a text or an object for each datagram. */
export class PeerMap<P extends DatagramPeer> {
  readonly #rows = new Map<number, P>();
  /** The one found last: datagrams come in bursts. */
  #last: P | undefined;

  /** The peer whose words are those at `at` of `words`. */
  find(words: PeerWords, at: number): P | undefined {
    if (this.#last !== undefined && hasWords(this.#last, words, at)) return this.#last;
    for (let peer = this.#rows.get(hashOf(words, at)); peer !== undefined; peer = peer.next) {
      if (!hasWords(peer, words, at)) continue;
      this.#last = peer;
      return peer;
    }
    return undefined;
  }

  /** @param peer  one that the map does not have. */
  add(peer: P): void {
    const hash = hashOf(peer.words, 0);
    peer.next = this.#rows.get(hash);
    this.#rows.set(hash, peer);
  }

  /** Does nothing if the map does not have it. */
  delete(peer: P): void {
    if (this.#last === peer) this.#last = undefined;
    const hash = hashOf(peer.words, 0);
    const first = this.#rows.get(hash);
    if (first === peer) {
      if (peer.next === undefined) this.#rows.delete(hash);
      else this.#rows.set(hash, peer.next);
      return;
    }
    for (let before = first; before !== undefined; before = before.next)
      if (before.next === peer) before.next = peer.next;
  }
}

function hasWords({ words: own }: DatagramPeer, words: PeerWords, at: number): boolean {
  for (let i = 0; i < peerLayout.words; i += 1) if (own[i] !== words[at + i]) return false;
  return true;
}

function hashOf(words: PeerWords, at: number): number {
  let hash = seed;
  for (let i = 0; i < peerLayout.words; i += 1) {
    hash = Math.imul(hash ^ (words[at + i] ?? 0), 0x9e37_79b1); // 2^32 divided by the golden ratio
    hash ^= hash >>> 15;
  }
  return hash;
}
