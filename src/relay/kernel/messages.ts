import { constants } from './constants.ts';
import type { Descriptor } from './descriptor.ts';
import { KernelMisuseError, type Where } from './errno.ts';
import { library } from './library.ts';
import { SocketAddressMemory } from './socket-address.ts';
import { layouts } from './structs.ts';

const { msghdr, mmsghdr, iovec, sockaddr_in6: name } = layouts;
const { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_TRUNC } = constants;

/** Memory for control messages of one message. */
const controlBytes = 64;

type Memory = Uint8Array<ArrayBuffer>;
type Slot = {
  readonly data: Uint8Array;
  readonly address: SocketAddressMemory;
  readonly control: Uint8Array;
};

/**
 * Memory for several datagrams, which one call receives or sends: each has a slot with its data, its address and its
 * control messages. The structs point to memory of this object, so it has to live as long as a call.
 */
export class Messages {
  readonly #headers: Uint8Array;
  readonly #view: DataView;
  readonly #vectors: DataView;
  readonly #slots: readonly Slot[];

  /** @param count  slots. @param bytes  data that each of them has room for. */
  constructor(count: number, bytes: number) {
    this.#headers = memory(count * mmsghdr.size);
    this.#view = new DataView(this.#headers.buffer);
    const vectors = memory(count * iovec.size);
    this.#vectors = new DataView(vectors.buffer);
    const [data, names, controls] = [bytes, name.size, controlBytes].map((each) => memory(count * each)) as [
      Memory,
      Memory,
      Memory,
    ];
    this.#slots = Array.from({ length: count }, (_, index) => ({
      data: data.subarray(index * bytes, (index + 1) * bytes),
      address: new SocketAddressMemory(names.subarray(index * name.size, (index + 1) * name.size)),
      control: controls.subarray(index * controlBytes, (index + 1) * controlBytes),
    }));
    const { pointerTo } = library();
    this.#slots.forEach((slot, index) => {
      const header = index * mmsghdr.size + mmsghdr.offsets.msg_hdr;
      this.#view.setBigUint64(
        header + msghdr.offsets.msg_iov,
        pointerTo(vectors) + BigInt(index * iovec.size),
        true,
      );
      this.#view.setBigUint64(header + msghdr.offsets.msg_iovlen, 1n, true);
      this.#view.setBigUint64(header + msghdr.offsets.msg_name, pointerTo(slot.address.bytes), true);
      this.#view.setBigUint64(header + msghdr.offsets.msg_control, pointerTo(slot.control), true);
      this.#vectors.setBigUint64(index * iovec.size + iovec.offsets.iov_base, pointerTo(slot.data), true);
    });
  }

  get count(): number {
    return this.#slots.length;
  }

  /** Receives into the slots, from the first on. @returns how many datagrams, or a negative error number. */
  receive(from: Descriptor): number {
    this.#slots.forEach((slot, index) => {
      const header = this.#headerOf(index);
      slot.address.reset();
      this.#view.setUint32(header + msghdr.offsets.msg_namelen, name.size, true);
      this.#view.setBigUint64(header + msghdr.offsets.msg_controllen, BigInt(controlBytes), true);
      this.#setLength(index, slot.data.length);
    });
    const { recvmmsg, errno } = library();
    const count = recvmmsg(from.fd, this.#headers, this.count, MSG_DONTWAIT, null);
    return count < 0 ? errno() : count;
  }

  /** The datagram in slot `index` after `receive`: valid until the next call. */
  received(index: number): {
    readonly data: Uint8Array;
    readonly from: Where;
    readonly isTruncated: boolean;
  } {
    const { data, address } = this.#slot(index);
    const length = this.#view.getUint32(index * mmsghdr.size + mmsghdr.offsets.msg_len, true);
    const flags = this.#view.getUint32(this.#headerOf(index) + msghdr.offsets.msg_flags, true);
    return {
      data: data.subarray(0, length),
      from: address.get(),
      isTruncated: (flags & MSG_TRUNC) !== 0,
    };
  }

  /**
   * Prepares slot `index` for `send`.
   *
   * @param to  undefined if the socket is connected. @throws KernelMisuseError if `data` does not fit.
   */
  set(index: number, data: Uint8Array, to?: Where): void {
    const slot = this.#slot(index);
    if (data.length > slot.data.length) throw new KernelMisuseError('the datagram does not fit in its slot');
    slot.data.set(data);
    this.#setLength(index, data.length);
    const header = this.#headerOf(index);
    this.#view.setUint32(
      header + msghdr.offsets.msg_namelen,
      to === undefined ? 0 : slot.address.set(to),
      true,
    );
    this.#view.setBigUint64(header + msghdr.offsets.msg_controllen, 0n, true);
  }

  /** Sends the first `count` slots. @returns how many datagrams were sent, or a negative error number. */
  send(to: Descriptor, count: number): number {
    if (!Number.isInteger(count) || count < 1 || count > this.count)
      throw new KernelMisuseError(`there are no ${String(count)} messages`);
    const { sendmmsg, errno } = library();
    const sent = sendmmsg(to.fd, this.#headers, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? errno() : sent;
  }

  #headerOf(index: number): number {
    return index * mmsghdr.size + mmsghdr.offsets.msg_hdr;
  }

  #setLength(index: number, length: number): void {
    this.#vectors.setBigUint64(index * iovec.size + iovec.offsets.iov_len, BigInt(length), true);
  }

  #slot(index: number): Slot {
    const slot = this.#slots[index];
    if (slot === undefined) throw new KernelMisuseError(`there is no message ${String(index)}`);
    return slot;
  }
}

function memory(bytes: number): Memory {
  return new Uint8Array(new ArrayBuffer(bytes));
}
