import { constants } from './constants.ts';
import { peerLayout, type PeerWords } from './datagram-peer.ts';
import type { Descriptor } from './descriptor.ts';
import { KernelMisuseError } from './errno.ts';
import { library } from './library.ts';
import { PinnedMemory } from './pinned-memory.ts';
import { layouts } from './structs.ts';

const { msghdr, mmsghdr, iovec, cmsghdr, in_pktinfo, in6_pktinfo, sockaddr_in, sockaddr_in6: name } = layouts;
const { MSG_DONTWAIT, IPPROTO_IP, IPPROTO_IPV6, SOL_UDP, IP_PKTINFO, IPV6_PKTINFO, UDP_GRO, AF_INET } =
  constants;

/** Memory for the control messages of one datagram: IP_PKTINFO or IPV6_PKTINFO, and UDP_GRO. */
const controlBytes = 128;
const peerBytes = peerLayout.words * Int32Array.BYTES_PER_ELEMENT;
const lengthOffset = mmsghdr.offsets.msg_len;
const at = (field: keyof typeof msghdr.offsets): number => mmsghdr.offsets.msg_hdr + msghdr.offsets[field];
const [nameAt, nameLengthAt, vectorAt, vectorsAt] = [
  at('msg_name'),
  at('msg_namelen'),
  at('msg_iov'),
  at('msg_iovlen'),
];
const [controlAt, controlLengthAt] = [at('msg_control'), at('msg_controllen')];
const cmsgAlignment = 8;

/** Consumes datagrams. */
export type DatagramSink = {
  /** @param datagram  in memory that is used again as soon as all that was received together is consumed. */
  readonly take: (datagram: Uint8Array) => void;
};

/**
 * Memory for datagrams that one call receives, with where they come from. What the kernel has put together by UDP_GRO is
 * taken apart.
 */
export class ReceivedDatagrams {
  readonly #count: number;
  readonly #bytes: number;
  readonly #data: PinnedMemory;
  readonly #controls: PinnedMemory;
  readonly #peers: PinnedMemory;
  readonly #words: PeerWords;
  readonly #named: PinnedMemory;
  readonly #unnamed: PinnedMemory;
  /** Of each slot, the size of the datagrams that were put together; 0 if it is one. */
  readonly #segmentBytes: Uint16Array;
  /** Of each slot, the view of its latest datagram: the next one often has the same length. */
  readonly #views: Uint8Array[];
  #received = 0;

  /** @param count  datagrams that one call receives. @param bytes  of each; a longer one is cut off. */
  constructor(count = 64, bytes = 65_536) {
    this.#count = count;
    this.#bytes = bytes;
    this.#data = new PinnedMemory(count * bytes);
    this.#controls = new PinnedMemory(count * controlBytes);
    this.#peers = new PinnedMemory(count * peerBytes);
    this.#words = new Int32Array(this.#peers.bytes.buffer);
    this.#segmentBytes = new Uint16Array(count);
    this.#views = Array.from({ length: count }, (_, slot) =>
      this.#data.bytes.subarray(slot * bytes, slot * bytes),
    );
    const vectors = this.#newVectors();
    this.#named = this.#newHeaders(vectors, true);
    this.#unnamed = this.#newHeaders(vectors, false);
  }

  /** Where the data is, for a sender: what was received is sent on without being copied. */
  get data(): PinnedMemory {
    return this.#data;
  }

  /** The words of the peers, see `wordsAt`. */
  get words(): PeerWords {
    return this.#words;
  }

  /** Where the words of the peer of datagram `index` begin. */
  wordsAt(index: number): number {
    return index * peerLayout.words;
  }

  /** Receives from a socket of many peers. @returns how many, or a negative error number. */
  receiveWithPeers(from: Descriptor): number {
    const count = this.#receive(from, this.#named);
    for (let slot = 0; slot < count; slot += 1) this.#readControl(slot, this.#named);
    return count;
  }

  /** Receives from a connected socket. @returns how many, or a negative error number. */
  receive(from: Descriptor): number {
    const count = this.#receive(from, this.#unnamed);
    for (let slot = 0; slot < count; slot += 1) this.#readControl(slot, this.#unnamed);
    return count;
  }

  /** Passes datagram `index` on, or the datagrams of which it was put together. @throws KernelMisuseError if there is none. */
  deliver(index: number, sink: DatagramSink): void {
    const view = this.#views[index];
    const segmentBytes = this.#segmentBytes[index];
    if (view === undefined || segmentBytes === undefined || index >= this.#received)
      throw new KernelMisuseError(`there is no datagram ${String(index)}`);
    if (segmentBytes === 0 || segmentBytes >= view.length) {
      sink.take(view);
      return;
    }
    for (let from = 0; from < view.length; from += segmentBytes)
      sink.take(view.subarray(from, Math.min(from + segmentBytes, view.length)));
  }

  #receive(from: Descriptor, headers: PinnedMemory): number {
    this.#received = 0;
    const { recvmmsg, errno } = library();
    const count = recvmmsg(from.fd, headers, this.#count, MSG_DONTWAIT);
    if (count < 0) return errno();
    this.#received = count;
    const { view } = headers;
    for (let slot = 0; slot < count; slot += 1) {
      const length = view.getUint32(slot * mmsghdr.size + lengthOffset, true);
      if (this.#views[slot]?.length !== length)
        this.#views[slot] = this.#data.bytes.subarray(slot * this.#bytes, slot * this.#bytes + length);
    }
    return count;
  }

  /** Reads the control messages of `slot`, and makes its header ready to receive again. */
  #readControl(slot: number, headers: PinnedMemory): void {
    const header = slot * mmsghdr.size;
    const { view } = headers;
    const words = this.wordsAt(slot);
    this.#segmentBytes[slot] = 0;
    if (headers === this.#named) {
      view.setUint32(header + nameLengthAt, name.size, true);
      // A sockaddr_in is shorter: what an earlier sockaddr_in6 has left behind it is no part of the peer
      const isIpv4 = ((this.#words[words] ?? 0) & 0xffff) === AF_INET;
      const from = isIpv4 ? sockaddr_in.size / Int32Array.BYTES_PER_ELEMENT : peerLayout.name;
      for (let i = words + from; i < words + peerLayout.words; i += 1) this.#words[i] = 0;
    }
    const length = view.getUint32(header + controlLengthAt, true);
    headers.setSize(header + controlLengthAt, controlBytes);
    if (length > 0) this.#readMessages(slot, length);
  }

  /** cmsg(3): each message begins with its length, and the next one at a multiple of eight bytes. */
  #readMessages(slot: number, length: number): void {
    const { view } = this.#controls;
    const begin = slot * controlBytes;
    for (let from = begin; from + cmsghdr.size <= begin + length;) {
      const size = view.getUint32(from + cmsghdr.offsets.cmsg_len, true);
      if (size < cmsghdr.size) return;
      this.#readMessage(slot, from);
      from += Math.ceil(size / cmsgAlignment) * cmsgAlignment;
    }
  }

  #readMessage(slot: number, from: number): void {
    const { view } = this.#controls;
    const level = view.getInt32(from + cmsghdr.offsets.cmsg_level, true);
    const type = view.getInt32(from + cmsghdr.offsets.cmsg_type, true);
    const data = from + cmsghdr.size;
    const asked = this.wordsAt(slot) + peerLayout.name;
    if (level === SOL_UDP && type === UDP_GRO) this.#segmentBytes[slot] = view.getInt32(data, true);
    else if (level === IPPROTO_IP && type === IP_PKTINFO)
      // ip(7): the local address of the packet, also if it was sent to a broadcast or multicast address
      this.#words[asked] = view.getInt32(data + in_pktinfo.offsets.ipi_spec_dst, true);
    else if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO) {
      const address = data + in6_pktinfo.offsets.ipi6_addr;
      if (view.getUint8(address) === 0xff) return; // RFC 4291, section 2.7: multicast is no source
      for (let i = 0; i < 4; i += 1) this.#words[asked + i] = view.getInt32(address + 4 * i, true);
    }
  }

  #newVectors(): PinnedMemory {
    const vectors = new PinnedMemory(this.#count * iovec.size);
    for (let slot = 0; slot < this.#count; slot += 1) {
      vectors.pointTo(slot * iovec.size + iovec.offsets.iov_base, this.#data, slot * this.#bytes);
      vectors.setSize(slot * iovec.size + iovec.offsets.iov_len, this.#bytes);
    }
    return vectors;
  }

  #newHeaders(vectors: PinnedMemory, isNamed: boolean): PinnedMemory {
    const headers = new PinnedMemory(this.#count * mmsghdr.size);
    for (let slot = 0; slot < this.#count; slot += 1) {
      const header = slot * mmsghdr.size;
      headers.pointTo(header + vectorAt, vectors, slot * iovec.size);
      headers.setSize(header + vectorsAt, 1);
      headers.pointTo(header + controlAt, this.#controls, slot * controlBytes);
      headers.setSize(header + controlLengthAt, controlBytes);
      if (!isNamed) continue;
      headers.pointTo(header + nameAt, this.#peers, slot * peerBytes);
      headers.view.setUint32(header + nameLengthAt, name.size, true);
    }
    return headers;
  }
}
