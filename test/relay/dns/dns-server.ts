import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { parseIpAddress } from '../../../src/lib/ip-address.ts';
import type { Loopback } from '../loopback.ts';

/** The records of each name, by type. */
export type Zone = Record<string, { readonly A?: readonly string[]; readonly AAAA?: readonly string[] }>;

/** A name server on 127.0.0.1, over UDP and TCP, that answers from `zone`. */
export class DnsServer {
  /** Every question received, for example `udp A a.example`. */
  readonly questions: string[] = [];
  readonly #zone: Zone;
  readonly #ttlSeconds: number;

  constructor(zone: Zone, ttlSeconds = 60) {
    this.#zone = zone;
    this.#ttlSeconds = ttlSeconds;
  }

  /** @returns the address that it listens on. */
  async listen(loopback: Loopback): Promise<string> {
    const tcp = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (framed: Buffer) => {
        const answer = this.#answer(framed.subarray(2), 'tcp');
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.end(Buffer.concat([length, answer]));
      });
    }).listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4', (question, from) => {
      udp.send(this.#answer(question, 'udp'), from.port, from.address);
    });
    loopback.onClose(() => {
      tcp.close();
      udp.close();
    });
    const listening = once(udp, 'listening');
    udp.bind(port, '127.0.0.1');
    await listening;
    return `127.0.0.1:${String(port)}`;
  }

  #answer(question: Buffer, protocol: string): Buffer {
    const labels: string[] = [];
    let at = 12;
    for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
      labels.push(question.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const [name, type] = [labels.join('.'), question.readUInt16BE(at + 1) === 1 ? 'A' : 'AAAA'] as const;
    this.questions.push(`${protocol} ${type} ${name}`);
    const known = this.#zone[name];
    const records = (known?.[type] ?? []).map((address) => this.#record(address));
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(known === undefined ? 0x8183 : 0x8180, 2); // NXDOMAIN, or no error
    head.writeUInt16BE(records.length, 6);
    head.writeUInt32BE(0, 8);
    return Buffer.concat([head, question.subarray(12, at + 5), ...records]);
  }

  #record(address: string): Buffer {
    const data = addressBytes(address);
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0xc00c, 0); // a pointer to the name in the question, RFC 1035, section 4.1.4
    head.writeUInt16BE(data.length === 4 ? 1 : 28, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt32BE(this.#ttlSeconds, 6);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, data]);
  }
}

/** @param address  IPv4, or IPv6 that contains `::`. */
function addressBytes(address: string): Buffer {
  if (parseIpAddress(address)?.family === 'IPv4') return Buffer.from(address.split('.').map(Number));
  const [left = [], right = []] = address.split('::').map((part) => part.split(':'));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const groups = [...left, ...zeros, ...right].map((group) => group.padStart(4, '0'));
  return Buffer.from(groups.join(''), 'hex');
}
