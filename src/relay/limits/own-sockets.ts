import { clientIp } from '../../lib/client-address.ts';
import type { Clock } from '../../lib/clock.ts';
import { ownAddresses } from '../../lib/own-addresses.ts';
import type { Address } from '../net/channel.ts';

/** How long the addresses of the machine are taken as known. */
const knownMs = 5000;

/** A socket of the relay towards a remote. */
export type OwnSocket = {
  /** Its address, as the remote sees it without NAT; port 0 if it has none yet. */
  readonly local: () => Address;
};

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
  readonly #sockets = new Map<OwnSocket, { readonly path: RelayPath; key: string }>();
  readonly #unread = new Set<OwnSocket>();
  readonly #paths = new Map<string, RelayPath>();
  #addresses: ReadonlySet<string> = new Set();
  #readMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be called once a socket begins to connect. */
  opened(socket: OwnSocket, path: RelayPath): void {
    this.#sockets.set(socket, { path, key: '' });
    this.#unread.add(socket);
  }

  closed(socket: OwnSocket): void {
    const { path, key = '' } = this.#sockets.get(socket) ?? {};
    this.#sockets.delete(socket);
    this.#unread.delete(socket);
    if (this.#paths.get(key) === path) this.#paths.delete(key); // the port may belong to another socket by now
  }

  /** The path of the socket that `client` is; [] if it is none of the relay's. */
  pathOf(client: Address): RelayPath {
    if (this.#sockets.size === 0 || !this.#isOwnAddress(clientIp(client.address))) return [];
    for (const socket of this.#unread) this.#read(socket);
    return this.#paths.get(keyOf(client)) ?? [];
  }

  #read(socket: OwnSocket): void {
    const local = socket.local();
    const known = this.#sockets.get(socket);
    if (local.port === 0 || known === undefined) return;
    this.#unread.delete(socket);
    known.key = keyOf(local);
    this.#paths.set(known.key, known.path);
  }

  #isOwnAddress(address: string): boolean {
    if (address === '::1' || address.startsWith('127.')) return true;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#readMs >= knownMs) {
      this.#addresses = new Set(ownAddresses());
      this.#readMs = nowMs;
    }
    return this.#addresses.has(withoutZone(address));
  }
}

function keyOf({ address, port }: Address): string {
  return `${withoutZone(clientIp(address))} ${String(port)}`;
}

function withoutZone(address: string): string {
  const percent = address.indexOf('%');
  return percent === -1 ? address : address.slice(0, percent);
}
