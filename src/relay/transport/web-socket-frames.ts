import { isUtf8 } from 'node:buffer';
import { HandshakeError } from './handshake-error.ts';

/** RFC 6455, section 5.2. */
const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const known: ReadonlySet<number> = new Set(Object.values(opcodes));

const maxControlBytes = 125;
const maxHeadBytes = 14;
const maskBytes = 4;
const noMask = new Uint8Array(0);
const noPayload = Buffer.alloc(0);

/** A frame under way. */
type Frame = {
  readonly opcode: number;
  /** Empty if the payload is not masked. */
  readonly mask: Uint8Array;
  /** The part of the payload that has not come yet. */
  leftBytes: number;
  /** Which byte of the mask belongs to the next byte of the payload. */
  maskAt: number;
};

/** What is reported of control frames. */
export type FrameEvents = {
  /** Receives a copy of a ping's payload. */
  readonly onPing: (payload: Buffer) => void;
  readonly onPong: () => void;
};

/**
 * Reads the frames that a peer sends (RFC 6455, section 5). It keeps a frame's head and a control frame until they are
 * complete, and no payload of a message: frames and messages of any length cost the same.
 */
export class FrameReader {
  /** Whether this side is the server, whose client masks every frame. */
  readonly #isMasked: boolean;
  readonly #events: FrameEvents;
  readonly #head = Buffer.alloc(maxHeadBytes);
  #headBytes = 0;
  #frame: Frame | undefined;
  #isInMessage = false;
  /** Payload of the control frame under way. */
  #controlPayload = noPayload;
  #isClosed = false;

  constructor(isMasked: boolean, events: FrameEvents) {
    this.#isMasked = isMasked;
    this.#events = events;
  }

  /** Whether there was a close frame; what follows it is ignored. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Reads what comes next from the peer.
   *
   * @param part  is overwritten.
   * @returns the payload of binary messages in it, at the beginning of `part`.
   * @throws HandshakeError if a frame is not valid, or a message is text.
   */
  read(part: Buffer): Buffer {
    let [from, to] = [0, 0];
    while (from < part.length && !this.#isClosed) {
      from = this.#frame === undefined ? this.#readHead(part, from) : from;
      const frame = this.#frame;
      if (frame === undefined) break; // the rest of its head has not come yet
      const payload = this.#takePayload(frame, part, from);
      from += payload.length;
      if (isControl(frame.opcode)) this.#controlPayload = Buffer.concat([this.#controlPayload, payload]);
      else {
        // Many small frames become one part, since each part costs more than its bytes.
        if (payload.byteOffset !== part.byteOffset + to) part.set(payload, to);
        to += payload.length;
      }
      if (frame.leftBytes === 0) this.#endFrame(frame);
    }
    return part.subarray(0, to);
  }

  /** @returns where the rest of `part` begins. */
  #readHead(part: Buffer, from: number): number {
    const head = this.#head;
    let next = from;
    while (next < part.length && this.#frame === undefined) {
      head[this.#headBytes] = part[next] ?? 0;
      this.#headBytes += 1;
      next += 1;
      if (this.#headBytes === 2) this.#check(head);
      if (this.#headBytes >= 2 && this.#headBytes === headLength(head))
        this.#begin(head.subarray(0, this.#headBytes));
    }
    return next;
  }

  /** Checks the first two bytes of a head, so that a peer that speaks something else fails at once. */
  #check([first = 0, second = 0]: Uint8Array): void {
    const [opcode, isFinal] = [first & 0x0f, first >= 0x80];
    if ((first & 0x70) !== 0) throw invalid('a reserved bit is set'); // section 5.2: there are no extensions
    if (!known.has(opcode)) throw invalid('an unknown opcode');
    if (second >= 0x80 !== this.#isMasked) throw invalid(this.#isMasked ? 'no mask' : 'a mask'); // section 5.1
    if (!isControl(opcode)) this.#checkMessage(opcode);
    else if (!isFinal || (second & 0x7f) > maxControlBytes)
      throw invalid('a control frame is too long or fragmented'); // section 5.5
  }

  #begin(head: Buffer): void {
    const [first = 0] = head;
    const opcode = first & 0x0f;
    if (!isControl(opcode)) this.#isInMessage = first < 0x80;
    const mask = Buffer.from(this.#isMasked ? head.subarray(-maskBytes) : []);
    const leftBytes = payloadLength(head);
    this.#frame = { opcode, leftBytes, mask: mask.some(Boolean) ? mask : noMask, maskAt: 0 };
    this.#headBytes = 0;
  }

  /** RFC 6455, section 5.4. */
  #checkMessage(opcode: number): void {
    if (opcode === opcodes.text) throw new HandshakeError('text WebSocket message: send binary messages');
    if ((opcode === opcodes.continuation) !== this.#isInMessage)
      throw invalid('a fragment that belongs to no message, or a message within another');
  }

  #takePayload(frame: Frame, part: Buffer, from: number): Buffer {
    const payload = part.subarray(from, from + frame.leftBytes);
    frame.leftBytes -= payload.length;
    if (frame.mask.length > 0) unmask(frame, payload);
    return payload;
  }

  #endFrame({ opcode }: Frame): void {
    this.#frame = undefined;
    if (!isControl(opcode)) return;
    const payload = this.#controlPayload;
    this.#controlPayload = noPayload;
    if (opcode === opcodes.ping) this.#events.onPing(payload);
    else if (opcode === opcodes.pong) this.#events.onPong();
    else if (opcode === opcodes.close) this.#close(payload);
  }

  #close(payload: Buffer): void {
    // RFC 6455, section 5.5.1: nothing, or a code and a reason in UTF-8
    const isValid = payload.length === 0 || (payload.length >= 2 && isCloseCode(payload.readUInt16BE()));
    if (!isValid || !isUtf8(payload.subarray(2))) throw invalid('a malformed close frame');
    this.#isClosed = true;
  }
}

function invalid(fault: string): HandshakeError {
  return new HandshakeError(`invalid WebSocket frame: ${fault}`);
}

function isControl(opcode: number): boolean {
  return opcode >= opcodes.close;
}

/** How many bytes the head has that begins with the two bytes of `head`. */
function headLength(head: Buffer): number {
  const second = head[1] ?? 0;
  const length = second & 0x7f;
  const extended = length === 126 ? 2 : length === 127 ? 8 : 0;
  return 2 + extended + (second >= 0x80 ? maskBytes : 0);
}

function payloadLength(head: Buffer): number {
  const length = (head[1] ?? 0) & 0x7f;
  if (length < 126) return length;
  if (length === 126) return head.readUInt16BE(2);
  const bytes = Number(head.readBigUInt64BE(2));
  if (bytes > Number.MAX_SAFE_INTEGER) throw invalid('it is longer than 2^53 bytes');
  return bytes;
}

function unmask(frame: Frame, payload: Buffer): void {
  const { mask, maskAt } = frame;
  for (let at = 0; at < payload.length; at += 1) {
    payload[at] = (payload[at] ?? 0) ^ (mask[(maskAt + at) % maskBytes] ?? 0);
  }
  frame.maskAt = (maskAt + payload.length) % maskBytes;
}

/** RFC 6455, section 7.4, with the codes that were registered later. */
function isCloseCode(code: number): boolean {
  if (code >= 3000) return code < 5000;
  return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}

/** Frames that this side sends; with the mask of a client if `isMasked`, which is zero as that of Realm. */
export type FrameWriter = {
  /** The head of a binary message of `bytes` bytes, which follow it unchanged. */
  readonly binaryHead: (bytes: number) => Buffer;
  /** A ping frame without payload. */
  readonly ping: () => Buffer;
  /** A pong frame with the payload of the ping that it answers, at most 125 bytes. */
  readonly pong: (payload: Buffer) => Buffer;
  /** A close frame with code 1000, of a stream that has ended. */
  readonly close: () => Buffer;
};

/** What `isMasked` frames look like, those of a client, and those of a server. */
export function frameWriter(isMasked: boolean): FrameWriter {
  const control = (opcode: number, payload: Buffer): Buffer =>
    Buffer.concat([frameHead(opcode, payload.length, isMasked), payload]);
  return {
    binaryHead: (bytes) => frameHead(opcodes.binary, bytes, isMasked),
    ping: () => control(opcodes.ping, noPayload),
    pong: (payload) => control(opcodes.pong, payload),
    close: () => control(opcodes.close, Buffer.from([0x03, 0xe8])),
  };
}

function frameHead(opcode: number, bytes: number, isMasked: boolean): Buffer {
  const extended = bytes < 126 ? 0 : bytes < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extended + (isMasked ? maskBytes : 0)); // a mask of zeros
  head[0] = 0x80 | opcode;
  head[1] = (isMasked ? 0x80 : 0) | (extended === 0 ? bytes : extended === 2 ? 126 : 127);
  if (extended === 2) head.writeUInt16BE(bytes, 2);
  if (extended === 8) head.writeBigUInt64BE(BigInt(bytes), 2);
  return head;
}
