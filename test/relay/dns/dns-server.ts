import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { errorCode } from '../../../src/lib/errors.ts';
import { parseIpAddress } from '../../../src/lib/ip-address.ts';
import type { Loopback } from '../loopback.ts';

/** The addresses of a name, by type, or silence; or how the server treats it: `release` answers `held` questions. */
export type ZoneEntry =
  | { readonly A?: readonly string[]; readonly AAAA?: readonly string[] | 'silent' }
  /** An alias, without what it leads to. */
  | { readonly CNAME: string }
  | 'silent'
  | 'SERVFAIL'
  | 'held';

/** What a name server knows of each name. */
export type Zone = Record<string, ZoneEntry>;

/** A name server on loopback, over UDP and TCP, that answers from `zone`, which a test may change. */
export class DnsServer {
  /** Every question received, for example `udp A a.example`. */
  readonly questions: string[] = [];
  zone: Zone;
  readonly #ttlSeconds: number;
  readonly #truncated: boolean;
  #held: { readonly name: string; readonly answer: () => void }[] = [];

  /** @param truncated  answers over UDP do not fit. */
  constructor(zone: Zone, ttlSeconds = 60, truncated = false) {
    this.zone = { ...zone };
    this.#ttlSeconds = ttlSeconds;
    this.#truncated = truncated;
  }

  /** @param port  0 = one that is free for both protocols. @returns the address that it listens on. */
  async listen(loopback: Loopback, host = '127.0.0.1', port = 0): Promise<string> {
    for (;;) {
      const address = await this.#listen(loopback, host, port).catch((error: unknown) => {
        if (port !== 0 || errorCode(error) !== 'EADDRINUSE') throw error;
      });
      if (address !== undefined) return address;
    }
  }

  async #listen(loopback: Loopback, host: string, wanted: number): Promise<string> {
    const tcp = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (framed: Buffer) => {
        this.#receive(framed.subarray(2), 'tcp', (answer) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          socket.end(Buffer.concat([length, answer]));
        });
      });
    }).listen(wanted, host);
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4', (question, from) => {
      this.#receive(question, 'udp', (answer) => {
        udp.send(answer, from.port, from.address);
      });
    });
    loopback.onClose(() => {
      tcp.close();
      udp.close();
    });
    const listening = once(udp, 'listening');
    udp.bind(port, host);
    await listening;
    return `${host}:${String(port)}`;
  }

  /** The names of the questions received, each once. */
  get names(): readonly string[] {
    return [...new Set(this.questions.map((question) => question.split(' ')[2] ?? ''))];
  }

  /** Answers the held questions for `name` with `entry`, and later ones, too. */
  release(name: string, entry: ZoneEntry): void {
    this.zone[name] = entry;
    const held = this.#held.filter((each) => each.name === name);
    this.#held = this.#held.filter((each) => each.name !== name);
    for (const { answer } of held) answer();
  }

  #receive(question: Buffer, protocol: string, send: (answer: Buffer) => void): void {
    const labels: string[] = [];
    let at = 12;
    for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
      labels.push(question.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const [name, type] = [labels.join('.'), question.readUInt16BE(at + 1) === 1 ? 'A' : 'AAAA'] as const;
    this.questions.push(`${protocol} ${type} ${name}`);
    const answer = (): void => {
      const head = question.subarray(0, at + 5);
      send(this.#truncated && protocol === 'udp' ? truncatedAnswer(head) : this.#answer(head, name, type));
    };
    const entry = this.zone[name];
    const isSilent =
      entry === 'silent' || (typeof entry === 'object' && 'AAAA' in entry && entry[type] === 'silent');
    if (entry === 'held') this.#held.push({ name, answer });
    else if (!isSilent) answer();
  }

  #answer(question: Buffer, name: string, type: 'A' | 'AAAA'): Buffer {
    const known = this.zone[name];
    const records = typeof known === 'object' ? this.#records(known, type) : [];
    const rcode = known === undefined ? 3 : known === 'SERVFAIL' ? 2 : 0;
    return Buffer.concat([answerHead(question, rcode, records.length), ...records]);
  }

  #records(entry: Extract<ZoneEntry, object>, type: 'A' | 'AAAA'): Buffer[] {
    if ('CNAME' in entry) return [this.#record(5, nameBytes(entry.CNAME))];
    const addresses = [entry[type] ?? []].flat();
    return addresses.map((each) => this.#record(type === 'A' ? 1 : 28, addressBytes(each)));
  }

  #record(type: number, data: Buffer): Buffer {
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0xc00c, 0); // a pointer to the name in the question, RFC 1035, section 4.1.4
    head.writeUInt16BE(type, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt32BE(this.#ttlSeconds, 6);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, data]);
  }
}

function answerHead(question: Buffer, rcode: number, records: number): Buffer {
  const head = Buffer.from(question);
  head.writeUInt16BE(0x8180 + rcode, 2);
  head.writeUInt16BE(records, 6);
  head.writeUInt32BE(0, 8);
  return head;
}

function truncatedAnswer(question: Buffer): Buffer {
  const head = answerHead(question, 0, 0);
  head.writeUInt16BE(0x8380, 2);
  return head;
}

function nameBytes(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(`\0${label}`, 'latin1'));
  for (const label of labels) label[0] = label.length - 1;
  return Buffer.concat([...labels, Buffer.of(0)]);
}

/** @param address  IPv4, or IPv6 that contains `::`. */
function addressBytes(address: string): Buffer {
  if (parseIpAddress(address)?.family === 'IPv4') return Buffer.from(address.split('.').map(Number));
  const [left = [], right = []] = address.split('::').map((part) => part.split(':'));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const groups = [...left, ...zeros, ...right].map((group) => group.padStart(4, '0'));
  return Buffer.from(groups.join(''), 'hex');
}
