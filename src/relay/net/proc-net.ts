import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { endianness } from 'node:os';
import { parseIpAddress } from '../../lib/ip-address.ts';

/** A socket of this network namespace as Linux lists it. Source: proc_pid_net(5). */
export type ProcSocket = {
  /** In the notation of the list, as `procAddress` writes it. */
  readonly local: string;
  readonly remote: string;
  readonly isListening: boolean;
  /** Bytes that were written and that the peer's kernel has not acknowledged yet. */
  readonly unsentBytes: number;
  /** Identifies the socket in the descriptors of a process. */
  readonly inode: string;
};

/**
 * Every socket of both families.
 *
 * @param proc  where procfs is mounted.
 * @returns [] if the list does not exist, as on systems other than Linux.
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
  const hostOrder = words.flatMap((word) => (endianness() === 'LE' ? word.reverse() : word));
  return `${Buffer.from(hostOrder).toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

function procSocket(line: string): ProcSocket[] {
  const [, local, remote, state, queues = '', , , , , inode] = line.trim().split(/ +/);
  if (local === undefined || remote === undefined || inode === undefined) return [];
  const isListening = state === '0A'; // TCP_LISTEN
  const [unsentBytes = 0] = queues.split(':').map((each) => parseInt(each, 16));
  return [{ local, remote, isListening, unsentBytes, inode }];
}

function ipv6Bytes(address: string): number[] {
  const ip = parseIpAddress(address);
  if (ip?.mapped !== undefined)
    return [...Array<number>(10).fill(0), 255, 255, ...ip.mapped.split('.').map(Number)];
  const [head = [], tail = []] = (ip?.text ?? '::')
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''));
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]);
}
