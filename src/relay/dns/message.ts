import { parseIpAddress } from '../../lib/ip-address.ts';

/** The records that hold addresses: of IPv4, and of IPv6. */
export type RecordType = 'A' | 'AAAA';

/** What a name server is asked for. `name` is absolute, without a dot at its end. */
export type DnsQuestion = { readonly name: string; readonly type: RecordType };

/** What a name server answered; times to live in milliseconds. */
export type Reply =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[]; readonly ttlMs: number }
  /** The name does not exist (NXDOMAIN), or has no record of this type; `ttlMs` is undefined without a SOA record. */
  | { readonly kind: 'nothing'; readonly isName: boolean; readonly ttlMs: number | undefined }
  /** The name is an alias of `target`, of which the server states nothing: it is to be asked for. */
  | { readonly kind: 'alias'; readonly target: string; readonly ttlMs: number }
  /** The server cannot answer: `reason` is its code, such as SERVFAIL. */
  | { readonly kind: 'failure'; readonly reason: string }
  /** The answer is too large for a datagram. */
  | { readonly kind: 'truncated' };

/** Addresses of one answer that are used; servers rotate the order, so that all of them get clients. */
export const maxAddresses = 64;

/** The longest chain of aliases that is followed, in one reply, and by further queries. */
export const maxAliases = 16;

const headBytes = 12;
const typeNumbers: Readonly<Record<RecordType, number>> = { A: 1, AAAA: 28 };
const [cname, soa] = [5, 6];
const internet = 1;
const recursionDesired = 0x0100;
const reasons = ['', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

/** A query for `question`. @param id  16 bits that the reply repeats. */
export function queryMessage(id: number, question: DnsQuestion): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(recursionDesired, 2);
  head.writeUInt16BE(1, 4);
  const labels = question.name.split('.').map((label) => {
    return Buffer.concat([Buffer.of(label.length), Buffer.from(label, 'latin1')]);
  });
  const tail = Buffer.from([0, 0, typeNumbers[question.type], 0, internet]);
  return Buffer.concat([head, ...labels, tail]);
}

/** The id of a message; undefined if it is too short for one. */
export function messageId(message: Buffer): number | undefined {
  return message.length < headBytes ? undefined : message.readUInt16BE(0);
}

/**
 * Reads the reply to `question` in `message`.
 *
 * Source: RFC 1035, section 4.
 *
 * @returns undefined if it is none: RFC 5452, section 9.1 requires the question to match.
 */
export function readReply(message: Buffer, question: DnsQuestion): Reply | undefined {
  const flags = message.readUInt16BE(2);
  if (flags >> 11 !== 0b10000) return undefined; // a reply, to a standard query
  const rcode = flags & 0b1111;
  try {
    const reader = new Reader(message, headBytes);
    const questions = message.readUInt16BE(4);
    // A server that could not read the query may leave the question out.
    if (questions === 0 ? rcode === 0 : !reader.repeats(question)) return undefined;
    if ((flags & 0x0200) !== 0) return { kind: 'truncated' };
    return content(rcode, question, reader);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { kind: 'failure', reason: 'malformed' };
  }
}

/** What a whole reply with this code states. */
function content(rcode: number, question: DnsQuestion, reader: Reader): Reply {
  if (rcode !== 0 && rcode !== 3)
    return { kind: 'failure', reason: reasons[rcode] ?? `RCODE ${String(rcode)}` };
  const records = new Records(question, reader);
  // A code for "no such name" is about the last alias: RFC 6604, section 3
  const rest = rcode === 0 ? records.unansweredAlias : undefined;
  return records.addresses ?? rest ?? { kind: 'nothing', isName: rcode === 0, ttlMs: records.negativeTtlMs };
}

/** Whether a query can state `name`: a label of a reply may contain a dot, or anything else. */
function isQueryable(name: string): boolean {
  return name.split('.').every((label) => label !== '');
}

/** The records of a reply that bear on its question. */
class Records {
  readonly #question: DnsQuestion;
  readonly #reader: Reader;
  readonly #aliases = new Map<string, { readonly target: string; readonly ttl: number }>();
  readonly #found = new Map<string, { readonly addresses: string[]; ttl: number }>();
  /** How long the absence of a record is valid: RFC 2308, section 5. */
  negativeTtlMs: number | undefined;

  constructor(question: DnsQuestion, reader: Reader) {
    this.#question = question;
    this.#reader = reader;
    const [answers, authorities] = [reader.count(6), reader.count(8)];
    for (let index = 0; index < answers; index += 1) this.#readAnswer();
    // What follows the answers only says how long nothing is valid.
    if (this.addresses === undefined)
      for (let index = 0; index < authorities; index += 1) this.#readAuthority();
  }

  /** Those of the name, or of the one that its aliases lead to: RFC 1034, section 3.6.2. */
  get addresses(): Extract<Reply, { kind: 'addresses' }> | undefined {
    const { name, ttl } = this.#canonical();
    const found = this.#found.get(name);
    if (found === undefined) return undefined;
    return { kind: 'addresses', addresses: found.addresses, ttlMs: Math.min(ttl, found.ttl) * 1000 };
  }

  /**
   * The alias that the reply leaves open. RFC 1034, section 5.3.3: the query goes on with it. A SOA record says that the name it
   * leads to has no record of the type (RFC 2308, section 2.2).
   */
  get unansweredAlias(): Extract<Reply, { kind: 'alias' }> | undefined {
    const { name, ttl } = this.#canonical();
    const isOpen = name !== this.#question.name.toLowerCase() && !this.#aliases.has(name);
    if (!isOpen || this.negativeTtlMs !== undefined || !isQueryable(name)) return undefined;
    return { kind: 'alias', target: name, ttlMs: ttl * 1000 };
  }

  /** The name that the aliases lead to, and for how many seconds; of a circle, one of its names. */
  #canonical(): { readonly name: string; readonly ttl: number } {
    let name = this.#question.name.toLowerCase();
    let ttl = Infinity;
    for (let steps = 0; steps < maxAliases && !this.#found.has(name); steps += 1) {
      const alias = this.#aliases.get(name);
      if (alias === undefined) break;
      ttl = Math.min(ttl, alias.ttl);
      name = alias.target;
    }
    return { name, ttl };
  }

  #readAnswer(): void {
    const { owner, type, ttl, end } = this.#reader.record();
    if (type === cname) this.#aliases.set(owner, { target: this.#reader.name(), ttl });
    else if (type === typeNumbers[this.#question.type])
      this.#add(owner, this.#reader.address(this.#question.type, end), ttl);
    this.#reader.at = end;
  }

  #add(owner: string, address: string, ttl: number): void {
    const found = this.#found.get(owner) ?? { addresses: [], ttl };
    this.#found.set(owner, found);
    found.ttl = Math.min(found.ttl, ttl);
    if (found.addresses.length < maxAddresses) found.addresses.push(address);
  }

  #readAuthority(): void {
    const { type, ttl, end } = this.#reader.record();
    if (type === soa) this.negativeTtlMs = Math.min(ttl, this.#reader.seconds(end - 4)) * 1000;
    this.#reader.at = end;
  }
}

/** Reads a message; throws RangeError where it ends too early or a name is malformed. */
class Reader {
  at: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** The number at `offset` of the head. */
  count(offset: number): number {
    return this.#bytes.readUInt16BE(offset);
  }

  /** Whether the next question is `question`. */
  repeats({ name, type }: DnsQuestion): boolean {
    const isName = this.name() === name.toLowerCase();
    const isType = this.#next16() === typeNumbers[type];
    return this.#next16() === internet && isType && isName;
  }

  /** The head of the next record; its data end at `end`. */
  record(): { owner: string; type: number; ttl: number; end: number } {
    const owner = this.name();
    const type = this.#next16();
    this.at += 2; // the class, which is that of the question
    const ttl = this.seconds(this.at);
    this.at += 4;
    const length = this.#next16();
    const end = this.at + length;
    if (end > this.#bytes.length) throw new RangeError('the record is longer than the message');
    return { owner, type, ttl, end };
  }

  /** A time to live. RFC 2181, section 8: one with the highest bit set is 0. */
  seconds(at: number): number {
    return Math.max(0, this.#bytes.readInt32BE(at));
  }

  /** The address in the data up to `end`. */
  address(type: RecordType, end: number): string {
    const data = this.#bytes.subarray(this.at, end);
    const groups = data.toString('hex').match(/.{4}/g) ?? [];
    const ip = parseIpAddress(type === 'A' ? [...data].join('.') : groups.join(':'));
    if (ip === undefined) throw new RangeError('the record holds no address');
    return ip.text;
  }

  /** A name in lower case. RFC 1035, section 4.1.4: its rest may stand earlier in the message. */
  name(): string {
    const labels: string[] = [];
    let [at, length] = [this.at, 0];
    let end: number | undefined;
    for (let size = this.#bytes.readUInt8(at); size > 0; size = this.#bytes.readUInt8(at)) {
      if (size >= 0xc0) {
        const target = this.#bytes.readUInt16BE(at) & 0x3fff;
        end ??= at + 2;
        if (target >= at) throw new RangeError('a name refers to what follows it');
        at = target;
        continue;
      }
      length += size + 1;
      if (size > 63 || length > 254) throw new RangeError('a name is too long'); // RFC 1035, section 2.3.4
      labels.push(this.#bytes.toString('latin1', at + 1, at + 1 + size));
      at += 1 + size;
    }
    this.at = end ?? at + 1;
    return labels.join('.').toLowerCase();
  }

  #next16(): number {
    const value = this.#bytes.readUInt16BE(this.at);
    this.at += 2;
    return value;
  }
}
