import { readdirSync, readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import type { Protocol } from '../../api/port-conflicts.ts';
import type { SocketAddress } from '../../config/address.ts';
import { procAddress, procSockets, type ProcSocket } from '../net/proc-net.ts';

/** Time limit of the search, because a machine may have very many descriptors. */
const maxSearchMs = 2000;

/** The process that owns a socket. */
export type PortOwner = {
  readonly pid: number;
  /** The name that `ps` shows. */
  readonly name: string;
};

/**
 * Finds the process that owns the port of `listen`. Without privileges it sees only processes of its own user, and in a
 * container only those of the container.
 *
 * @param proc  where procfs is mounted.
 * @returns undefined if no process was found, or not in time.
 */
export async function portOwner(
  protocol: Protocol,
  listen: SocketAddress,
  proc = '/proc',
): Promise<PortOwner | undefined> {
  const sockets = await procSockets(protocol === 'TCP' ? 'tcp' : 'udp', proc);
  const conflicting = sockets.filter(
    (socket) => (protocol === 'UDP' || socket.isListening) && isConflicting(socket, listen),
  );
  const links = new Set(conflicting.map(({ inode }) => `socket:[${inode}]`));
  if (links.size === 0) return undefined;
  const deadlineMs = performance.now() + maxSearchMs;
  for (const pid of await processes(proc)) {
    if (performance.now() > deadlineMs) return undefined;
    if (hasOne(links, `${proc}/${String(pid)}/fd`))
      return { pid, name: await nameOf(`${proc}/${String(pid)}/comm`) };
    await turn();
  }
  return undefined;
}

/** Whether the ports are equal, and so are the addresses unless either is a wildcard. */
function isConflicting({ local }: ProcSocket, { ip, port }: SocketAddress): boolean {
  const [address = '', localPort = ''] = local.split(':');
  if (parseInt(localPort, 16) !== port) return false;
  if (ip === undefined || /^0+$/.test(address)) return true;
  const wanted = [ip.text, ip.mapped ?? ip.text].map((text) => procAddress(text, port));
  return wanted.includes(local) || wanted.some((each) => /^0+:/.test(each));
}

/** The lowest process id first: of a server with workers, usually the parent. */
async function processes(proc: string): Promise<number[]> {
  const names = await readdir(proc).catch(() => []);
  return names
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** Synchronous, because a promise for each of thousands of descriptors would take twenty times as long. */
function hasOne(links: ReadonlySet<string>, folder: string): boolean {
  const descriptors = valueOr(() => readdirSync(folder), []); // belongs to another user, or has ended
  return descriptors.some((name) => links.has(valueOr(() => readlinkSync(`${folder}/${name}`), '')));
}

function valueOr<T>(read: () => T, fallback: T): T {
  try {
    return read();
  } catch {
    return fallback;
  }
}

async function nameOf(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => '')).trim();
}
