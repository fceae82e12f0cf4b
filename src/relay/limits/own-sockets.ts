import { clientIp } from '../../lib/client-address.ts';
import type { Clock } from '../../lib/clock.ts';
import { dialledAddress, isLoopback } from '../../lib/ip-address.ts';
import { ownAddresses } from '../../lib/own-addresses.ts';
import type { Address } from '../net/channel.ts';

/** How long the addresses of the machine are taken as known. */
const knownMs = 5000;

/** A socket of the relay towards a remote. */
export type OwnSocket = {
  /** Its address, as the remote sees it without NAT; port 0 if it has none yet. */
  readonly local: () => Address;
};

/** Where a client has connected to. */
export type Destination = {
  /** The listening port; 0 = not known. */
  readonly port: number;
  readonly address: () => Address;
};

/** A socket that is open. */
type Opened = {
  /** The path of its client. */
  readonly path: RelayPath;
  /** Where it connects to. */
  readonly remote: Address;
  /** Its local address, and the next one with the same port; undefined until it is read. */
  local: Address | undefined;
  next: Opened | undefined;
};

/** The listening ports that a client has come through within this relay, the first one first. */
export type RelayPath = readonly string[];

/** Of a client that is no socket of the relay, as nearly all are. */
const noPath: RelayPath = [];

/**
 * The relay's sockets towards remotes of one protocol, each with the path of its client: a client that is one of them has
 * come through that path already.
 *
 * Costs nearly nothing: the address of a socket is read only once a client comes from an address of this machine, and has
 * connected to the port that the socket connects to.
 */
export class OwnSockets {
  readonly #clock: Clock;
  readonly #sockets = new Map<OwnSocket, Opened>();
  /** Those whose local address is not read yet, by the port that they connect to. */
  readonly #unread = new Map<number, Set<OwnSocket>>();
  /** By local port. Connections to different remotes may share one, which is rare: so a chain, no set for each. */
  readonly #byPort = new Map<number, Opened>();
  readonly #sync: (() => void) | undefined;
  #addresses: ReadonlySet<string> = new Set();
  #readMs = -Infinity;

  /** @param sync  has other threads call `opened` for each socket that began to connect; undefined = there are none. */
  constructor(clock: Clock, sync?: () => void) {
    this.#clock = clock;
    this.#sync = sync;
  }

  /** To be called once a socket begins to connect to `remote`. */
  opened(socket: OwnSocket, path: RelayPath, remote: Address): void {
    this.#sockets.set(socket, { path, remote, local: undefined, next: undefined });
    const unread = this.#unread.get(remote.port);
    if (unread === undefined) this.#unread.set(remote.port, new Set([socket]));
    else unread.add(socket);
  }

  closed(socket: OwnSocket): void {
    const opened = this.#sockets.get(socket);
    if (opened === undefined) return;
    this.#sockets.delete(socket);
    this.#unread.get(opened.remote.port)?.delete(socket);
    if (opened.local !== undefined) this.#forget(opened, opened.local.port);
  }

  /**
   * The path of the socket that `client` is; [] if it is none of the relay's.
   *
   * @param destination  what the client has connected to. The kernel gives one port to connections with different
   *   destinations, so another program's may have the address of a socket of the relay. Absent for UDP, where it gives a port once.
   */
  pathOf(client: Address, destination?: Destination): RelayPath {
    if (!this.#mayBeOwn(client)) return noPath;
    this.#sync?.();
    this.#readUnread(destination?.port);
    for (let each = this.#byPort.get(client.port); each !== undefined; each = each.next) {
      if (each.local === undefined || keyOf(each.local) !== keyOf(client)) continue;
      if (destination === undefined || leadsTo(each.remote, destination.address())) return each.path;
    }
    return noPath;
  }

  /** Reads the addresses of the sockets that connect to `port`; undefined or 0 = of all. */
  #readUnread(port: number | undefined): void {
    const isAll = port === undefined || port === 0;
    if (isAll) for (const sockets of this.#unread.values()) this.#readAll(sockets);
    else this.#readAll(this.#unread.get(port));
  }

  /** A socket that is read leaves the set meanwhile, which the iterator of a set allows for. */
  #readAll(sockets: ReadonlySet<OwnSocket> | undefined): void {
    if (sockets !== undefined && sockets.size > 0) for (const socket of sockets) this.#read(socket);
  }

  #mayBeOwn({ address }: Address): boolean {
    const mayHaveSockets = this.#sockets.size > 0 || this.#sync !== undefined;
    return mayHaveSockets && this.#isOwnAddress(clientIp(address));
  }

  #read(socket: OwnSocket): void {
    const local = socket.local();
    const known = this.#sockets.get(socket);
    if (local.port === 0 || known === undefined) return;
    this.#unread.get(known.remote.port)?.delete(socket);
    known.local = local;
    known.next = this.#byPort.get(local.port);
    this.#byPort.set(local.port, known);
  }

  #forget(opened: Opened, port: number): void {
    const first = this.#byPort.get(port);
    if (first !== opened) {
      for (let each = first; each !== undefined; each = each.next)
        if (each.next === opened) each.next = opened.next;
    } else if (opened.next === undefined) this.#byPort.delete(port);
    else this.#byPort.set(port, opened.next);
  }

  #isOwnAddress(address: string): boolean {
    if (isLoopback(address)) return true;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#readMs >= knownMs) {
      this.#addresses = new Set(ownAddresses());
      this.#readMs = nowMs;
    }
    return this.#addresses.has(withoutZone(address));
  }
}

/** Whether a connection to `remote` arrives at the address `at`, without NAT. */
function leadsTo(remote: Address, at: Address): boolean {
  const dialled = { address: dialledAddress(clientIp(remote.address)), port: remote.port };
  return keyOf(remote) === keyOf(at) || keyOf(dialled) === keyOf(at);
}

function keyOf({ address, port }: Address): string {
  return `${withoutZone(clientIp(address))} ${String(port)}`;
}

function withoutZone(address: string): string {
  const percent = address.indexOf('%');
  return percent === -1 ? address : address.slice(0, percent);
}
