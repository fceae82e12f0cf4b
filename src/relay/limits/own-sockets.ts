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

/** A socket of the relay: the path of its client, where it connects to, and the key of its local address once that is read. */
type Opened = { readonly path: RelayPath; readonly remote: Address; key: string };

/** The listening ports that a client has come through within this relay, the first one first. */
export type RelayPath = readonly string[];

/**
 * The relay's sockets towards remotes of one protocol, each with the path of its client: a client that is one of them has
 * come through that path already.
 *
 * Costs nearly nothing: the address of a socket is read only once a client comes from an address of this machine.
 */
export class OwnSockets {
  readonly #clock: Clock;
  readonly #sockets = new Map<OwnSocket, Opened>();
  readonly #unread = new Set<OwnSocket>();
  /** By local address. Connections to different remotes may share one. */
  readonly #byLocal = new Map<string, Set<Opened>>();
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
    this.#sockets.set(socket, { path, remote, key: '' });
    this.#unread.add(socket);
  }

  closed(socket: OwnSocket): void {
    const opened = this.#sockets.get(socket);
    if (opened === undefined) return;
    this.#sockets.delete(socket);
    this.#unread.delete(socket);
    const sameLocal = this.#byLocal.get(opened.key);
    sameLocal?.delete(opened);
    if (sameLocal?.size === 0) this.#byLocal.delete(opened.key);
  }

  /**
   * The path of the socket that `client` is; [] if it is none of the relay's.
   *
   * @param destination  the address that the client has connected to. The kernel gives one port to connections with different
   *   destinations, so another program's may have the address of a socket of the relay. Absent for UDP, where it gives a port once.
   */
  pathOf(client: Address, destination?: () => Address): RelayPath {
    if (!this.#mayBeOwn(client)) return [];
    this.#sync?.();
    for (const socket of this.#unread) this.#read(socket);
    const candidates = this.#byLocal.get(keyOf(client));
    if (candidates === undefined) return [];
    const at = destination?.();
    for (const { path, remote } of candidates) if (at === undefined || leadsTo(remote, at)) return path;
    return [];
  }

  #mayBeOwn({ address }: Address): boolean {
    const mayHaveSockets = this.#sockets.size > 0 || this.#sync !== undefined;
    return mayHaveSockets && this.#isOwnAddress(clientIp(address));
  }

  #read(socket: OwnSocket): void {
    const local = socket.local();
    const known = this.#sockets.get(socket);
    if (local.port === 0 || known === undefined) return;
    this.#unread.delete(socket);
    known.key = keyOf(local);
    const sameLocal = this.#byLocal.get(known.key) ?? new Set();
    this.#byLocal.set(known.key, sameLocal.add(known));
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
