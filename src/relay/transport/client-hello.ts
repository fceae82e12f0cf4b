import { RealmError } from '../../lib/errors.ts';
import { canonicalServerName } from '../../lib/server-name.ts';

/** The longest ClientHello that is read, with its header of four bytes. */
const maxHelloBytes = 16_384;
/** The same with the headers of its records, of which a client may use one for each byte. */
export const maxHelloRecordBytes = 2 * maxHelloBytes;
/** The longest record. Source: RFC 8446, section 5.1. */
const maxRecordBytes = 16_384;
const recordHeaderBytes = 5;
/** The first bytes of a record of the handshake. */
const recordBegin = [22, 3];
const messageHeaderBytes = 4;

/** What a client begins with is no ClientHello. */
export class ClientHelloError extends RealmError {
  readonly code: string = 'REALM_CLIENT_HELLO';
}

/** What is read of a ClientHello. */
export type ClientHello = {
  /** The host name that the client asks for, in lower case and without a dot at its end; '' if it asks for none. */
  readonly serverName: string;
};

/** No endpoint serves the name that the client asks for. */
export class UnknownNameError extends ClientHelloError {
  override readonly code = 'REALM_SERVER_NAME_UNKNOWN';

  constructor({ serverName }: ClientHello) {
    const name = serverName === '' ? 'asks for no server name' : `asks for the server name "${serverName}"`;
    super(`the client ${name}, which no endpoint serves`);
  }
}

/**
 * Reads the ClientHello with which a client of TLS begins, however it is split into segments and records. Time and memory are
 * linear in its length, which is limited.
 */
export class ClientHelloParser {
  readonly #header = Buffer.alloc(recordHeaderBytes);
  #headerLength = 0;
  /** How much of the present record is still to come. */
  #recordLeft = 0;
  #records = 0;
  /** Space for the message, of which `#length` bytes are received. */
  #message: Buffer = Buffer.alloc(512);
  #length = 0;

  /**
   * Reads `part`, which follows what was read before.
   *
   * @returns the ClientHello once it is complete; it is not to be called again then.
   * @throws ClientHelloError if it cannot become one.
   */
  push(part: Uint8Array): ClientHello | undefined {
    for (let at = 0; at < part.length; at += 1) {
      if (this.#recordLeft === 0) this.#takeHeaderByte(part[at] ?? 0);
      else {
        const end = Math.min(part.length, at + this.#recordLeft);
        this.#takeFragment(part.subarray(at, end));
        at = end - 1;
        if (this.#isComplete()) return parsedHello(this.#message.subarray(messageHeaderBytes, this.#length));
      }
    }
    return undefined;
  }

  #takeHeaderByte(byte: number): void {
    const at = this.#headerLength;
    this.#header[at] = byte;
    this.#headerLength = at + 1;
    // RFC 8446, section 5.1: type and major version; the rest of the version is to be ignored
    if (byte !== recordBegin[at] && at < recordBegin.length)
      throw this.#records === 0 ? notTls() : unexpected();
    if (this.#headerLength < recordHeaderBytes) return;
    const length = this.#header.readUInt16BE(3);
    // The same section: fragments of a handshake message are not empty
    if (length === 0 || length > maxRecordBytes) throw malformed();
    this.#headerLength = 0;
    this.#recordLeft = length;
    this.#records += 1;
    if (this.#length + this.#records * recordHeaderBytes > maxHelloRecordBytes) throw tooLong();
  }

  #takeFragment(fragment: Uint8Array): void {
    const wanted = fragment.subarray(0, maxHelloBytes - this.#length);
    const length = this.#length + wanted.length;
    if (length > this.#message.length) {
      const grown = Buffer.alloc(Math.min(maxHelloBytes, Math.max(length, 2 * this.#message.length)));
      this.#message.copy(grown, 0, 0, this.#length);
      this.#message = grown;
    }
    this.#message.set(wanted, this.#length);
    this.#length = length;
    this.#recordLeft -= fragment.length;
  }

  /** Whether the message is there; cuts off what follows it in its record. */
  #isComplete(): boolean {
    if (this.#length > 0 && this.#message[0] !== 1) throw unexpected(); // RFC 8446, section 4: client_hello(1)
    if (this.#length < messageHeaderBytes) return false;
    const wanted = messageHeaderBytes + this.#message.readUIntBE(1, 3);
    if (wanted > maxHelloBytes) throw tooLong();
    if (this.#length < wanted) return false;
    this.#length = wanted;
    return true;
  }
}

/** Reads the fields of a message, one after the other. @throws ClientHelloError where they go past its end. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** An unsigned integer of so many bytes. */
  number(bytes: 1 | 2): number {
    return this.bytes(bytes).readUIntBE(0, bytes);
  }

  bytes(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw malformed();
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  /** A vector whose length, in a field of so many bytes, is at least `min`. */
  vector(lengthBytes: 1 | 2, min: number): Buffer {
    const length = this.number(lengthBytes);
    if (length < min) throw malformed();
    return this.bytes(length);
  }
}

/** Source: RFC 8446, section 4.1.2, and RFC 5246, section 7.4.1.2, where the extensions may be missing. */
function parsedHello(message: Buffer): ClientHello {
  const fields = new Fields(message);
  fields.bytes(2 + 32); // legacy_version and random
  if (fields.vector(1, 0).length > 32) throw malformed(); // legacy_session_id
  fields.vector(2, 2); // cipher_suites
  fields.vector(1, 1); // legacy_compression_methods
  if (fields.isAtEnd()) return { serverName: '' };
  const extensions = new Fields(fields.vector(2, 0));
  if (!fields.isAtEnd()) throw malformed();
  let serverName: string | undefined;
  while (!extensions.isAtEnd()) {
    const type = extensions.number(2);
    const data = extensions.vector(2, 0);
    if (type !== 0) continue; // the values of RFC 8701 (GREASE) are among those that are skipped
    // RFC 8446, section 4.2: no extension comes twice
    if (serverName !== undefined) throw illegalName();
    serverName = parsedServerName(data);
  }
  return { serverName: serverName ?? '' };
}

/** Source: RFC 6066, section 3: a list of names, of which at most one is of the type host_name(0), the only one there is. */
function parsedServerName(data: Buffer): string {
  const fields = new Fields(data);
  const names = new Fields(fields.vector(2, 1));
  if (!fields.isAtEnd()) throw malformed();
  let host: string | undefined;
  while (!names.isAtEnd()) {
    const type = names.number(1);
    const name = names.vector(2, 1).toString('latin1');
    if (type !== 0) continue; // the same section: names of other types begin with a length of 16 bits, too
    if (host !== undefined || !/^[!-~]{1,255}$/.test(name)) throw illegalName();
    host = canonicalServerName(name);
    if (host === '') throw illegalName();
  }
  return host ?? '';
}

function notTls(): ClientHelloError {
  return new ClientHelloError('the client does not speak TLS');
}

function unexpected(): ClientHelloError {
  return new ClientHelloError('the client does not begin TLS with a ClientHello');
}

function malformed(): ClientHelloError {
  return new ClientHelloError('the ClientHello is malformed');
}

function tooLong(): ClientHelloError {
  const message = `the ClientHello is longer than ${String(maxHelloBytes)} bytes`;
  return new ClientHelloError(message);
}

function illegalName(): ClientHelloError {
  return new ClientHelloError('the server name in the ClientHello is not valid');
}
