import { constants } from './constants.ts';
import type { DatagramPeer } from './datagram-peer.ts';
import type { Descriptor } from './descriptor.ts';
import { KernelMisuseError } from './errno.ts';
import { OutgoingMessages } from './outgoing-messages.ts';
import { PinnedMemory } from './pinned-memory.ts';

const { EAGAIN, EINVAL, EIO, EMSGSIZE, ENETUNREACH, ENOBUFS } = constants;

/** Datagrams that wait at most until all are sent, and those of one message. Source: linux/udp.h, UDP_MAX_SEGMENTS until 6.8. */
const maxDatagrams = 64;
/** What a message may hold: a packet of IPv4 with its headers has at most 65,535 bytes. */
const maxMessageBytes = 65_000;
/** Memory for what is not sent from where it was received; the largest datagram with a header before it fits. */
const stagingBytes = 131_072;

/** A socket that datagrams leave by. */
export type DatagramOutlet = {
  /** Undefined once it is closed. */
  readonly descriptor: Descriptor | undefined;
  /** The size up to which several datagrams are sent as one message; 0 = never. Lowered when the kernel refuses that. */
  maxSegmentBytes: number;
  /** @param number  the negative number of the error of a datagram, perhaps of an earlier one, such as an ICMP error. */
  readonly onSendError: (number: number) => void;
};

type OpenOutlet = { readonly outlet: DatagramOutlet; readonly descriptor: Descriptor };

/** `maxSegmentBytes` of a socket of UDP that has not sent yet. */
export const anySegmentBytes = 65_535;

/**
 * Sends datagrams by few calls: those that are added between `hold` and `release` wait until the last one is there, or
 * another socket has a turn, or there are enough. A run of one size to one peer becomes one message (UDP_SEGMENT).
 *
 * A datagram that its socket has no room for is lost, as UDP allows, and so is one that is too large for its way.
 */
export class DatagramSender {
  /** Datagrams that were lost since their socket had no room. */
  lost = 0;
  readonly #received: PinnedMemory;
  readonly #staging = new PinnedMemory(stagingBytes);
  readonly #messages = new OutgoingMessages(maxDatagrams);
  #outlet: DatagramOutlet | undefined;
  #stagedBytes = 0;
  /** Of the last message: the size of its first datagram, of all of them, and whether no other one may follow. */
  #segmentBytes = 0;
  #messageBytes = 0;
  #isComplete = true;
  #isHeld = false;

  /** @param received  memory that datagrams are sent from without being copied. */
  constructor(received: PinnedMemory) {
    this.#received = received;
  }

  /** Makes datagrams wait for each other until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Sends what waits. */
  release(): void {
    this.#isHeld = false;
    this.#flush();
  }

  /**
   * Sends `datagram`, which may be in the memory of `received` or in any other.
   *
   * @param peer  undefined if the socket is connected. @param header  goes before the datagram; undefined = nothing.
   */
  add(outlet: DatagramOutlet, datagram: Uint8Array, peer?: DatagramPeer, header?: Uint8Array): void {
    const length = datagram.length + (header?.length ?? 0);
    if (length > stagingBytes) throw new KernelMisuseError(`${String(length)} bytes are no datagram`);
    const isInPlace = header === undefined && datagram.buffer === this.#received.bytes.buffer;
    // Again, since an error that is reported may make its owner send
    while (!this.#mayFollow(outlet, isInPlace ? 0 : length)) this.#flush();
    this.#outlet = outlet;
    if (!this.#extend(outlet, length, peer)) this.#begin(length, peer);
    if (isInPlace) this.#messages.append(this.#received, datagram.byteOffset, length);
    else this.#messages.append(this.#staging, this.#stage(datagram, header), length);
    if (!this.#isHeld) this.#flush();
  }

  /** Sends what waits, if it leaves by `outlet`: to be called before that is closed. */
  flushOf(outlet: DatagramOutlet): void {
    if (outlet === this.#outlet) this.#flush();
  }

  /** Whether a datagram of `outlet`, of which `stagedBytes` are to be copied, can wait together with those that wait. */
  #mayFollow(outlet: DatagramOutlet, stagedBytes: number): boolean {
    if (this.#outlet === undefined) return true;
    const hasRoom =
      this.#stagedBytes + stagedBytes <= stagingBytes && this.#messages.datagrams < maxDatagrams;
    return outlet === this.#outlet && hasRoom;
  }

  /** @returns where it is now. */
  #stage(datagram: Uint8Array, header: Uint8Array | undefined): number {
    const from = this.#stagedBytes;
    if (header !== undefined) this.#staging.bytes.set(header, from);
    this.#staging.bytes.set(datagram, from + (header?.length ?? 0));
    this.#stagedBytes += datagram.length + (header?.length ?? 0);
    return from;
  }

  /** Whether the next datagram becomes a part of the last message. */
  #extend({ maxSegmentBytes }: DatagramOutlet, length: number, peer: DatagramPeer | undefined): boolean {
    if (this.#isComplete || length === 0 || length > this.#segmentBytes) return false;
    if (this.#segmentBytes > maxSegmentBytes || this.#messageBytes + length > maxMessageBytes) return false;
    if (this.#messages.peerOf(this.#messages.messages - 1) !== peer) return false;
    if (this.#messages.isSingle) this.#messages.segment(this.#segmentBytes);
    this.#messageBytes += length;
    this.#isComplete = length < this.#segmentBytes;
    return true;
  }

  #begin(length: number, peer: DatagramPeer | undefined): void {
    this.#messages.begin(peer);
    this.#segmentBytes = this.#messageBytes = length;
    this.#isComplete = length === 0;
  }

  #flush(): void {
    const outlet = this.#outlet;
    if (outlet === undefined) return;
    const error = this.#sendAll(outlet);
    this.#outlet = undefined;
    this.#stagedBytes = 0;
    this.#isComplete = true;
    this.#messages.clear();
    if (error !== 0) outlet.onSendError(error);
  }

  /** @returns the first error to report; 0 if there is none. */
  #sendAll(outlet: DatagramOutlet): number {
    let error = 0;
    const { descriptor } = outlet;
    if (descriptor === undefined) return 0;
    for (let next = 0; next < this.#messages.messages;) {
      const count = this.#messages.send(descriptor, next);
      if (count > 0) next += count;
      else {
        const failed = this.#sendApart({ outlet, descriptor }, next, count);
        if (error === 0) error = failed;
        next += 1;
      }
    }
    return error;
  }

  /**
   * Sends the datagrams of a message one by one, after it has failed with `number`. That may be the error of an earlier
   * datagram, which the kernel reports once, instead of sending.
   *
   * @returns the error to report; 0 if there is none.
   */
  #sendApart({ outlet, descriptor }: OpenOutlet, message: number, number: number): number {
    const { first, end } = this.#messages.datagramsOf(message);
    if (number === -EAGAIN) {
      this.lost += end - first;
      return 0;
    }
    const peer = this.#messages.peerOf(message);
    const hadSource = peer?.hasSource;
    const isRun = end - first > 1;
    const errors = [isOwn(number) ? 0 : number];
    for (let datagram = first; datagram < end; datagram += 1)
      errors.push(this.#lose(this.#messages.sendApart(descriptor, message, datagram)));
    if (isRun && peer?.hasSource === hadSource)
      this.#limitSegments(outlet, this.#messages.lengthOf(first), number);
    return errors.find((each) => each !== 0) ?? 0;
  }

  /** Sends no more runs of datagrams of `bytes` by `outlet`, if that is what the kernel refuses with `number`. */
  #limitSegments(outlet: DatagramOutlet, bytes: number, number: number): void {
    // EIO: the device computes no checksums. Else: the datagrams do not fit in the packets of their way
    if (number === -EIO) outlet.maxSegmentBytes = 0;
    else if (isOwn(number)) outlet.maxSegmentBytes = bytes - 1;
  }

  /** @returns the error to report of a datagram with the status `number`: none of one that is lost. */
  #lose(number: number): number {
    const isWithoutRoom = number === -EAGAIN || number === -ENOBUFS;
    if (isWithoutRoom) this.lost += 1;
    return isWithoutRoom || number === -EMSGSIZE ? 0 : number;
  }
}

/** Whether a message fails with it each time: it is not the error of an earlier one. */
function isOwn(number: number): boolean {
  return [-EINVAL, -EMSGSIZE, -EIO, -ENETUNREACH].includes(number);
}
