import { readdirSync, readlinkSync } from 'node:fs';
import type { Protocol } from '../../api/port-conflicts.ts';
import { partName } from '../listener/inherited-sockets.ts';
import { procAddress, procSockets, type ProcSocket } from '../net/proc-net.ts';

/** A listening socket of this process. */
export type OwnSocket = {
  /** Identifies it among the sockets of this process. */
  readonly name: string;
  readonly protocol: Protocol;
  /** The IP address and the port that it is bound to. */
  readonly address: string;
  readonly port: number;
  /** How many sockets of the system it is; 1 by default. */
  readonly sockets?: number;
};

/**
 * The descriptors of `sockets`, by name, as Linux lists them: it does not matter which engine or thread opened them.
 * Two sockets that differ only in their network interface cannot be told apart there, and are left out. One that is several
 * sockets of the system has an entry for each, see `partName`.
 */
export async function descriptorsOf(sockets: readonly OwnSocket[]): Promise<ReadonlyMap<string, number>> {
  const descriptors = socketDescriptors();
  const [tcp, udp] = await Promise.all((['tcp', 'udp'] as const).map((protocol) => procSockets(protocol)));
  const isOwn = ({ inode }: ProcSocket): boolean => descriptors.has(inode);
  const own = {
    TCP: Map.groupBy(
      tcp?.filter((socket) => socket.isListening && isOwn(socket)) ?? [],
      ({ local }) => local,
    ),
    UDP: Map.groupBy(udp?.filter(isOwn) ?? [], ({ local }) => local),
  };
  return new Map(
    sockets.flatMap(({ name, protocol, address, port, sockets: parts = 1 }) => {
      const [withoutZone = ''] = address.split('%');
      const found = own[protocol].get(procAddress(withoutZone, port)) ?? [];
      if (found.length !== parts) return [];
      return found.map(({ inode }, index) => [partName(name, index), descriptors.get(inode) ?? -1] as const);
    }),
  );
}

/** The descriptors of this process's sockets, by inode. */
function socketDescriptors(): ReadonlyMap<string, number> {
  const folder = '/proc/self/fd';
  return new Map(
    readdirSync(folder).flatMap((name) => {
      const [, inode] = /^socket:\[([0-9]+)\]$/.exec(linkOf(`${folder}/${name}`)) ?? [];
      return inode === undefined ? [] : [[inode, Number(name)] as const];
    }),
  );
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed since: the descriptor that read the folder, for one
  }
}
