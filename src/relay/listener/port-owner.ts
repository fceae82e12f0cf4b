import { readdirSync, readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import type { Protocol } from '../../api/port-conflicts.ts';
import type { SocketAddress } from '../../config/address.ts';
import { procAddress, procSockets, type ProcSocket } from '../net/proc-net.ts';

/** A machine may have a great many descriptors: what is not found by then stays unnamed. */
const mostMs = 2000;

/** A process that has a socket. */
export type PortOwner = {
  readonly pid: number;
  /** As `ps` calls it. */
  readonly name: string;
};

/**
 * Which process has the port of `listen`, as far as this one may know: without privileges only those of its own
 * user, in a container only those of its own.
 *
 * @param proc  where procfs is mounted.
 */
export async function portOwner(
  protocol: Protocol,
  listen: SocketAddress,
  proc = '/proc',
): Promise<PortOwner | undefined> {
  const sockets = await procSockets(protocol === 'TCP' ? 'tcp' : 'udp', proc);
  const inTheWay = sockets.filter(
    (socket) => (protocol === 'UDP' || socket.isListening) && isInTheWay(socket, listen),
  );
  const links = new Set(inTheWay.map(({ inode }) => `socket:[${inode}]`));
  if (links.size === 0) return undefined;
  const untilMs = performance.now() + mostMs;
  for (const pid of await processes(proc)) {
    if (performance.now() > untilMs) return undefined;
    if (hasOne(links, `${proc}/${String(pid)}/fd`))
      return { pid, name: await nameOf(`${proc}/${String(pid)}/comm`) };
    await turn();
  }
  return undefined;
}

/** Same port, and the same address or a wildcard on either side. */
function isInTheWay({ local }: ProcSocket, { ip, port }: SocketAddress): boolean {
  const [address = '', localPort = ''] = local.split(':');
  if (parseInt(localPort, 16) !== port) return false;
  if (ip === undefined || /^0+$/.test(address)) return true;
  const wanted = [ip.text, ip.mapped ?? ip.text].map((text) => procAddress(text, port));
  return wanted.includes(local) || wanted.some((each) => /^0+:/.test(each));
}

/** The oldest first: of a server with workers that is its parent. */
async function processes(proc: string): Promise<number[]> {
  const names = await readdir(proc).catch(() => []);
  return names
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** At one go, since a promise for each of thousands of descriptors would take twenty times as long. */
function hasOne(links: ReadonlySet<string>, folder: string): boolean {
  const descriptors = tried(() => readdirSync(folder), []); // another user's, or it has ended
  return descriptors.some((name) => links.has(tried(() => readlinkSync(`${folder}/${name}`), '')));
}

function tried<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

async function nameOf(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => '')).trim();
}
