import { constants } from './constants.ts';
import { checked, type Where } from './errno.ts';
import { library } from './library.ts';
import { PinnedMemory } from './pinned-memory.ts';
import { layouts } from './structs.ts';

const { AF_INET, AF_INET6, EINVAL } = constants;
const in4 = layouts.sockaddr_in;
const in6 = layouts.sockaddr_in6;
/** Room for the text of any address. Source: inet_ntop(3), INET6_ADDRSTRLEN, and net/if.h, IF_NAMESIZE. */
const textBytes = 46;
/** Character codes of an IPv4 address, and where its last byte is. */
const [dot, zero, lastByte] = [0x2e, 0x30, in4.offsets.sin_addr + 3];

/** The family of sockets that bind or connect to `address`, an IP address. */
export function familyOf(address: string): number {
  return address.includes(':') ? AF_INET6 : AF_INET;
}

/** A socket address in memory, as the kernel reads and writes it: a `sockaddr_in` or a `sockaddr_in6`. */
export class SocketAddressMemory {
  /** For calls: holds the address. */
  readonly memory = new PinnedMemory(in6.size);
  /** For calls that write an address: holds its length before and after. */
  readonly length = new PinnedMemory(4);
  readonly #view = this.memory.view;
  readonly #text = new Uint8Array(new ArrayBuffer(textBytes));

  constructor() {
    this.reset();
  }

  get bytes(): Uint8Array {
    return this.memory.bytes;
  }

  /** Makes room for an address that the kernel is going to write. */
  reset(): this {
    this.length.view.setUint32(0, this.bytes.length, true);
    this.#view.setUint16(0, 0, true);
    return this;
  }

  /**
   * Writes an address for the kernel to read.
   *
   * @param where  an IP address, with its zone if it is link-local, and a port.
   * @returns its length. @throws EINVAL if it is no IP address, or port is not 0 to 65535.
   */
  set({ address, port }: Where): number {
    const isIpv6 = familyOf(address) === AF_INET6;
    this.bytes.fill(0);
    this.#view.setUint16(0, isIpv6 ? AF_INET6 : AF_INET, true);
    this.#view.setUint16(isIpv6 ? in6.offsets.sin6_port : in4.offsets.sin_port, port);
    const isPort = Number.isInteger(port) && port >= 0 && port <= 65_535;
    const isText = isIpv6 ? this.#setIpv6(address) : this.#setIpv4(address);
    if (!isPort || !isText) checked('inet_pton', -EINVAL, { address, port });
    const { size } = isIpv6 ? in6 : in4;
    this.length.view.setUint32(0, size, true);
    return size;
  }

  /** The address that it holds; '' and 0 if it holds none. */
  get(): Where {
    const family = this.#view.getUint16(0, true);
    if (family === AF_INET)
      return { address: this.#ipv4(), port: this.#view.getUint16(in4.offsets.sin_port) };
    if (family !== AF_INET6) return { address: '', port: 0 };
    return { address: this.#ipv6(), port: this.#view.getUint16(in6.offsets.sin6_port) };
  }

  /** @returns whether `text` is an IPv4 address. */
  #setIpv4(text: string): boolean {
    let at: number = in4.offsets.sin_addr;
    let value: number | undefined;
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      if (code === dot) {
        if (value === undefined || at === lastByte) return false;
        this.bytes[at] = value;
        at += 1;
        value = undefined;
      } else {
        value = withDigit(value, code - zero);
        if (!(value <= 255)) return false;
      }
    }
    this.bytes[at] = value ?? 0;
    return at === lastByte && value !== undefined;
  }

  #setIpv6(address: string): boolean {
    const [text = '', zone = ''] = address.split('%', 2);
    if (zone !== '') this.#view.setUint32(in6.offsets.sin6_scope_id, zoneIndex(zone), true);
    return library().inet_pton(AF_INET6, text, this.bytes.subarray(in6.offsets.sin6_addr)) === 1;
  }

  #ipv4(): string {
    const { sin_addr: at } = in4.offsets;
    const { bytes } = this;
    return `${String(bytes[at])}.${String(bytes[at + 1])}.${String(bytes[at + 2])}.${String(bytes[at + 3])}`;
  }

  #ipv6(): string {
    const { sin6_addr: at, sin6_scope_id: scope } = in6.offsets;
    const { inet_ntop: toText, if_indextoname: toName } = library();
    toText(AF_INET6, this.bytes.subarray(at, at + 16), this.#text, textBytes);
    const address = terminated(this.#text);
    const isLinkLocal = this.bytes[at] === 0xfe && ((this.bytes[at + 1] ?? 0) & 0xc0) === 0x80;
    const index = this.#view.getUint32(scope, true);
    if (!isLinkLocal || index === 0) return address;
    // RFC 4007, section 11: the zone is written after a percent sign
    return `${address}%${toName(index, this.#text) === 0n ? String(index) : terminated(this.#text)}`;
  }
}

/** The number `value` with one more digit; NaN if that is none, or follows a leading zero, which some read as octal. */
function withDigit(value: number | undefined, digit: number): number {
  if (digit < 0 || digit > 9 || value === 0) return NaN;
  return (value ?? 0) * 10 + digit;
}

/** 0, which the kernel refuses, if there is no such interface. */
function zoneIndex(zone: string): number {
  return /^\d+$/.test(zone) ? Number(zone) : library().if_nametoindex(zone);
}

function terminated(text: Uint8Array): string {
  return Buffer.from(text.subarray(0, text.indexOf(0))).toString('latin1');
}
