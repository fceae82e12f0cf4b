import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { endianness } from 'node:os';
import { parseIpAddress } from '../../lib/ip-address.ts';

/** A socket of this network namespace as Linux lists it. */
export type ProcSocket = {
  /** In the list's own words, as `kernelAddress` writes them. */
  readonly local: string;
  readonly remote: string;
  readonly isListening: boolean;
  /** What was written and is not acknowledged by the peer's kernel yet. */
  readonly unsentBytes: number;
  /** Clients that wait to be accepted; 0 where it does not listen. */
  readonly waiting: number;
  /** By which a process's descriptor names it. */
  readonly inode: string;
};

/**
 * Every socket of both families.
 *
 * @param proc  where procfs is mounted.
 * @returns none where there is no such list, as on a system other than Linux.
 */
export async function procSockets(protocol: 'tcp' | 'udp', proc = '/proc'): Promise<ProcSocket[]> {
  const lists = await Promise.all(
    [protocol, `${protocol}6`].map((name) => {
      return readFile(`${proc}/self/net/${name}`, 'utf8').catch(() => '');
    }),
  );
  return lists.flatMap((list) => list.split('\n').slice(1).flatMap(procSocket));
}

/** `address` and `port` as the kernel lists them: `0100007F:01BB` is port 443 of 127.0.0.1. */
export function procAddress(address: string, port: number): string {
  const bytes = isIPv6(address) ? ipv6Bytes(address) : address.split('.').map(Number);
  const words = Array.from({ length: bytes.length / 4 }, (_, index) => bytes.slice(4 * index, 4 * index + 4));
  const own = words.flatMap((word) => (endianness() === 'LE' ? word.reverse() : word));
  return `${Buffer.from(own).toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

function procSocket(line: string): ProcSocket[] {
  const [, local, remote, state, queues = '', , , , , inode] = line.trim().split(/ +/);
  if (local === undefined || remote === undefined || inode === undefined) return [];
  const isListening = state === '0A'; // TCP_LISTEN
  const [unsentBytes = 0, received = 0] = queues.split(':').map((each) => parseInt(each, 16));
  return [{ local, remote, isListening, unsentBytes, waiting: isListening ? received : 0, inode }];
}

function ipv6Bytes(address: string): number[] {
  const canonical = parseIpAddress(address)?.text ?? '::';
  const end = canonical.lastIndexOf(':') + 1;
  const [a = 0, b = 0, c = 0, d] = canonical.slice(end).split('.').map(Number);
  const plain =
    d === undefined
      ? canonical
      : `${canonical.slice(0, end)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  const [head = [], tail = []] = plain.split('::').map((half) => half.split(':').filter(Boolean));
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]);
}
