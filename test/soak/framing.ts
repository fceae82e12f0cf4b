import { frame, opcodes, requestHead, zeroMask } from '../relay/transport/frames.ts';

/** What a WebSocket endpoint of the tests expects. */
export const webSocketPath = '/soak';
export const webSocketHost = 'soak.example';

/** What runs between TCP and the bytes of a client. */
export type Framing = {
  /** Sent first. */
  readonly opening: Buffer;
  /** Sent last. */
  readonly closing: Buffer;
  /** The peer has ended in good order, as far as the framing knows it. */
  readonly isClosed: boolean;
  readonly wrap: (part: Buffer) => Buffer;
  /** The relayed bytes in `part`; undefined if it is no valid framing. */
  readonly unwrap: (part: Buffer) => Buffer | undefined;
};

const nothing = Buffer.alloc(0);

/** Bytes as they are. */
export const plainFraming: Framing = {
  opening: nothing,
  closing: nothing,
  isClosed: true,
  wrap: (part) => part,
  unwrap: (part) => part,
};

/** The client's side of a WebSocket (RFC 6455), which Node.js has only without its TCP connection. */
export class WebSocketFraming implements Framing {
  readonly opening = Buffer.from(requestHead({ host: webSocketHost }, `GET ${webSocketPath} HTTP/1.1`));
  readonly closing = frame(opcodes.close, '', zeroMask);
  isClosed = false;
  #isOpen = false;
  #rest = nothing;

  /** One masked message (section 5.2); a mask of zeros leaves the bytes as they are. */
  wrap(part: Buffer): Buffer {
    const head = Buffer.alloc(14);
    head.writeUInt8(0x80 | opcodes.binary, 0);
    head.writeUInt8(0x80 | 127, 1);
    head.writeBigUInt64BE(BigInt(part.length), 2);
    return Buffer.concat([head, part]);
  }

  /** The payload of all whole frames so far. */
  unwrap(part: Buffer): Buffer | undefined {
    this.#rest = Buffer.concat([this.#rest, part]);
    if (!this.#isOpen && !this.#readHead()) return this.#rest.length < 8_192 ? nothing : undefined;
    const payloads: Buffer[] = [];
    for (let next = readFrame(this.#rest); next !== undefined; next = readFrame(this.#rest)) {
      this.#rest = this.#rest.subarray(next.end);
      if (next.opcode === opcodes.close) this.isClosed = true;
      else if (next.opcode <= opcodes.binary) payloads.push(next.payload);
    }
    return Buffer.concat(payloads);
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end < 0 || !this.#rest.toString('latin1', 0, 12).startsWith('HTTP/1.1 101')) return false;
    this.#rest = this.#rest.subarray(end + 4);
    this.#isOpen = true;
    return true;
  }
}

/** The first frame of `bytes`, without a mask; undefined if it is not whole. */
function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; end: number } | undefined {
  const short = (bytes[1] ?? 0) & 0x7f;
  const from = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < from) return undefined;
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < from + length) return undefined;
  return { opcode: (bytes[0] ?? 0) & 0x0f, payload: bytes.subarray(from, from + length), end: from + length };
}
