import { constants } from './constants.ts';
import { peerLayout, type DatagramPeer } from './datagram-peer.ts';
import type { Descriptor } from './descriptor.ts';
import { library } from './library.ts';
import { PinnedMemory, type Memory } from './pinned-memory.ts';
import { layouts } from './structs.ts';

const { msghdr, mmsghdr, iovec, cmsghdr, in_pktinfo, in6_pktinfo, sockaddr_in, sockaddr_in6 } = layouts;
const { MSG_DONTWAIT, MSG_NOSIGNAL, IPPROTO_IP, IPPROTO_IPV6, IP_PKTINFO, IPV6_PKTINFO } = constants;
const { SOL_UDP, UDP_SEGMENT, EINTR, EINVAL, ENETUNREACH } = constants;

/** Memory for the control messages of one message: IP_PKTINFO or IPV6_PKTINFO, and UDP_SEGMENT. */
const controlBytes = 64;
const sendFlags = MSG_DONTWAIT | MSG_NOSIGNAL;

const at = (field: keyof typeof msghdr.offsets): number => mmsghdr.offsets.msg_hdr + msghdr.offsets[field];
const [nameAt, nameLengthAt] = [at('msg_name'), at('msg_namelen')];
const [vectorAt, vectorsAt] = [at('msg_iov'), at('msg_iovlen')];
const [controlAt, controlLengthAt] = [at('msg_control'), at('msg_controllen')];

/** CMSG_SPACE of cmsg(3). */
const controlSpace = (dataBytes: number): number => cmsghdr.size + Math.ceil(dataBytes / 8) * 8;

/**
 * Messages to send with one call. A message is one datagram, or a run of datagrams that the kernel takes apart: all of one
 * size but the last, which may be shorter.
 */
export class OutgoingMessages {
  readonly #vectors: PinnedMemory;
  readonly #headers: PinnedMemory;
  readonly #names: PinnedMemory;
  readonly #nameWords: Int32Array;
  readonly #controls: PinnedMemory;
  /** The header of a datagram that is sent by itself. */
  readonly #single = new PinnedMemory(mmsghdr.size);
  /** Of each message, the number of its first datagram, and its peer. */
  readonly #firsts: number[] = [];
  readonly #peers: (DatagramPeer | undefined)[] = [];
  #datagrams = 0;
  #messages = 0;

  /** @param count  datagrams that there is room for. */
  constructor(count: number) {
    this.#vectors = new PinnedMemory(count * iovec.size);
    this.#headers = new PinnedMemory(count * mmsghdr.size);
    this.#names = new PinnedMemory(count * sockaddr_in6.size);
    this.#nameWords = new Int32Array(this.#names.bytes.buffer);
    this.#controls = new PinnedMemory(count * controlBytes);
    for (let message = 0; message < count; message += 1)
      this.#headers.pointTo(message * mmsghdr.size + controlAt, this.#controls, message * controlBytes);
  }

  get datagrams(): number {
    return this.#datagrams;
  }

  get messages(): number {
    return this.#messages;
  }

  /** The peer of a message; undefined if the socket is connected. */
  peerOf(message: number): DatagramPeer | undefined {
    return this.#peers[message];
  }

  /** Whether the last message has one datagram. */
  get isSingle(): boolean {
    return this.#firsts[this.#messages - 1] === this.#datagrams - 1;
  }

  clear(): void {
    this.#datagrams = this.#messages = 0;
  }

  /** Begins a message. @param peer  undefined if the socket is connected. */
  begin(peer: DatagramPeer | undefined): void {
    const message = this.#messages;
    const header = message * mmsghdr.size;
    this.#messages += 1;
    this.#firsts[message] = this.#datagrams;
    this.#peers[message] = peer;
    this.#headers.pointTo(header + vectorAt, this.#vectors, this.#datagrams * iovec.size);
    this.#headers.setSize(header + vectorsAt, 0);
    this.#headers.setSize(header + controlLengthAt, 0);
    if (peer !== undefined) this.#address(message, peer);
    else {
      this.#headers.setSize(header + nameAt, 0);
      this.#headers.view.setUint32(header + nameLengthAt, 0, true);
    }
  }

  /** Adds a datagram to the last message: `length` bytes from byte `from` of `memory`. */
  append(memory: PinnedMemory, from: number, length: number): void {
    const vector = this.#datagrams * iovec.size;
    const header = (this.#messages - 1) * mmsghdr.size;
    this.#datagrams += 1;
    this.#vectors.pointTo(vector + iovec.offsets.iov_base, memory, from);
    this.#vectors.setSize(vector + iovec.offsets.iov_len, length);
    const count = this.#headers.view.getUint32(header + vectorsAt, true) + 1;
    this.#headers.setSize(header + vectorsAt, count);
  }

  /** Has the kernel take the last message apart. @param bytes  of each datagram but the last. */
  segment(bytes: number): void {
    const message = this.#messages - 1;
    const lengthAt = message * mmsghdr.size + controlLengthAt;
    const length = this.#headers.view.getUint32(lengthAt, true);
    const begin = message * controlBytes + length;
    this.#writeControl(begin, SOL_UDP, UDP_SEGMENT, Uint16Array.BYTES_PER_ELEMENT);
    this.#controls.view.setUint16(begin + cmsghdr.size, bytes, true);
    this.#headers.setSize(lengthAt, length + controlSpace(Uint16Array.BYTES_PER_ELEMENT));
  }

  /** Sends the messages from number `first` on. @returns how many were sent, or a negative error number. */
  send(by: Descriptor, first: number): number {
    return sendMessages(by, this.#headers.from(first * mmsghdr.size), this.#messages - first);
  }

  /** The datagrams of a message: the number of the first, and the one after the last. */
  datagramsOf(message: number): { readonly first: number; readonly end: number } {
    const first = this.#firsts[message] ?? 0;
    return { first, end: message + 1 < this.#messages ? (this.#firsts[message + 1] ?? 0) : this.#datagrams };
  }

  /** The size of a datagram. */
  lengthOf(datagram: number): number {
    return this.#vectors.view.getUint32(datagram * iovec.size + iovec.offsets.iov_len, true);
  }

  /**
   * Sends one datagram of a message, by itself. If the address that it is to leave from is no longer the host's, the system
   * chooses another one from then on.
   *
   * @returns 0, or a negative error number.
   */
  sendApart(by: Descriptor, message: number, datagram: number): number {
    const peer = this.#peers[message];
    const single = this.#single;
    single.bytes.fill(0);
    single.pointTo(vectorAt, this.#vectors, datagram * iovec.size);
    single.setSize(vectorsAt, 1);
    if (peer !== undefined) {
      single.pointTo(nameAt, this.#names, message * sockaddr_in6.size);
      single.view.setUint32(nameLengthAt, nameLength(peer), true);
    }
    if (peer?.hasSource !== true) return sendMessage(by, single);
    single.pointTo(controlAt, this.#controls, message * controlBytes);
    single.setSize(controlLengthAt, controlSpace(sourceInfo(peer).size));
    const number = sendMessage(by, single);
    if (number !== -EINVAL && number !== -ENETUNREACH) return number; // what a source that is not the host's may give
    single.setSize(controlLengthAt, 0);
    const again = sendMessage(by, single);
    if (again === 0) peer.hasSource = false;
    return again;
  }

  #address(message: number, peer: DatagramPeer): void {
    const header = message * mmsghdr.size;
    const from = message * peerLayout.name;
    for (let i = 0; i < peerLayout.name; i += 1) this.#nameWords[from + i] = peer.words[i] ?? 0;
    this.#headers.pointTo(header + nameAt, this.#names, message * sockaddr_in6.size);
    this.#headers.view.setUint32(header + nameLengthAt, nameLength(peer), true);
    if (peer.hasSource) this.#writeSource(message, peer);
  }

  /** Writes from which address a message leaves. */
  #writeSource(message: number, peer: DatagramPeer): void {
    const { size } = sourceInfo(peer);
    const [level, type, count] = peer.isIpv4
      ? [IPPROTO_IP, IP_PKTINFO, 1]
      : [IPPROTO_IPV6, IPV6_PKTINFO, peerLayout.words - peerLayout.name];
    const address = peer.isIpv4 ? in_pktinfo.offsets.ipi_spec_dst : in6_pktinfo.offsets.ipi6_addr;
    const begin = message * controlBytes;
    this.#writeControl(begin, level, type, size);
    const data = begin + cmsghdr.size;
    const { view } = this.#controls;
    for (let i = 0; i < size; i += 4) view.setInt32(data + i, 0, true); // by any interface
    for (let i = 0; i < count; i += 1)
      view.setInt32(data + address + 4 * i, peer.words[peerLayout.name + i] ?? 0, true);
    this.#headers.setSize(message * mmsghdr.size + controlLengthAt, controlSpace(size));
  }

  #writeControl(begin: number, level: number, type: number, dataBytes: number): void {
    this.#controls.setSize(begin + cmsghdr.offsets.cmsg_len, cmsghdr.size + dataBytes);
    this.#controls.view.setInt32(begin + cmsghdr.offsets.cmsg_level, level, true);
    this.#controls.view.setInt32(begin + cmsghdr.offsets.cmsg_type, type, true);
  }
}

function nameLength({ isIpv4 }: DatagramPeer): number {
  return isIpv4 ? sockaddr_in.size : sockaddr_in6.size;
}

function sourceInfo({ isIpv4 }: DatagramPeer): { readonly size: number } {
  return isIpv4 ? in_pktinfo : in6_pktinfo;
}

/** @returns 0, or a negative error number. */
function sendMessage(by: Descriptor, header: PinnedMemory): number {
  return Math.min(sendMessages(by, header, 1), 0);
}

function sendMessages(by: Descriptor, headers: Memory, count: number): number {
  const { sendmsg, sendmmsg, errno } = library();
  for (;;) {
    const sent =
      count === 1 ? sendmsg(by.fd, headers, sendFlags) : sendmmsg(by.fd, headers, count, sendFlags);
    if (sent >= 0) return count === 1 ? 1 : sent; // sendmsg(2) returns the bytes
    const number = errno();
    if (number !== -EINTR) return number;
  }
}
