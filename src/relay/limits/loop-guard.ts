import type { Protocol } from '../../api/port-conflicts.ts';
import { clientText } from '../../lib/client-address.ts';
import type { Address } from '../net/channel.ts';
import type { Warn } from '../stats/log-limiter.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import type { OwnSockets, RelayPath } from './own-sockets.ts';

/** The relay's sockets towards remotes, by protocol. */
export type OwnSocketsByProtocol = Readonly<Record<Protocol, OwnSockets>>;

/** What a loop guard needs of its endpoint. */
export type LoopGuardContext = {
  readonly ownSockets: OwnSocketsByProtocol;
  /** The endpoint's name. */
  readonly endpoint: string;
  readonly errors: RecentErrors;
  /** Rate-limited, since each client of a loop comes back. */
  readonly warn: Warn;
};

const texts = {
  TCP: 'client rejected, the relay is its own remote',
  UDP: 'datagram dropped, the relay is its own remote',
} as const;

/**
 * Turns away clients that have come through the same listening port of this process before: a remote leads back to the relay.
 * A client that another endpoint relays here is served, unless it returns.
 */
export class LoopGuard {
  /** TCP clients, and datagrams of UDP clients, that were turned away. */
  readonly refused = { connections: 0, associations: 0 };
  readonly #context: LoopGuardContext;
  /** By listening port: the path of clients that come from outside. */
  readonly #firstPaths = new Map<number, RelayPath>();

  constructor(context: LoopGuardContext) {
    this.#context = context;
  }

  /**
   * The path of a client, up to the listening port `port`; undefined if it has come there before.
   *
   * @param destination  of TCP: the address that the client has connected to.
   */
  path(
    protocol: Protocol,
    client: Address,
    port: number,
    destination?: () => Address,
  ): RelayPath | undefined {
    const at = destination === undefined ? undefined : { port, address: destination };
    const before = this.#context.ownSockets[protocol].pathOf(client, at);
    const here = this.#firstPath(port);
    if (before.length === 0) return here;
    if (!before.includes(here[0] ?? '')) return [...before, ...here];
    this.#refuse(protocol, client);
    return undefined;
  }

  #firstPath(port: number): RelayPath {
    const known = this.#firstPaths.get(port);
    if (known !== undefined) return known;
    const path = [`${this.#context.endpoint} ${String(port)}`];
    this.#firstPaths.set(port, path);
    return path;
  }

  #refuse(protocol: Protocol, client: Address): void {
    const { endpoint, errors, warn } = this.#context;
    this.refused[protocol === 'TCP' ? 'connections' : 'associations'] += 1;
    const error = { message: 'a remote leads back to the relay' };
    errors.add({ endpoint, side: 'relay', reason: 'RelayLoop', error });
    warn({ endpoint, client: clientText(client.address, client.port), side: 'relay' }, texts[protocol]);
  }
}
