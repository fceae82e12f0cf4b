import type { Socket } from 'node:net';
import { socketAddressText } from '../config/address.ts';
import type { EndpointConfig } from '../config/relay-config.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { balancer, type Balancer } from './balancer.ts';
import { clientIp, clientText } from './client-address.ts';
import type { Lookup } from './dial.ts';
import { TcpConnection, type Side } from './tcp-connection.ts';
import { UdpAssociation } from './udp-association.ts';
import type { Reply, UdpClient } from './udp-listener.ts';

/** What every part of the relay works with. */
export type Surroundings = { readonly log: Logger; readonly clock: Clock; readonly lookup: Lookup };

/** Counts since the endpoint came up. */
export type Traffic = {
  /** Connections or associations that are open. */
  readonly active: number;
  /** All there have been. */
  readonly total: number;
  /** Those that ended by a failure, by its side. */
  readonly failed: Readonly<Record<Side, number>>;
  readonly fromClientBytes: number;
  readonly fromUpstreamBytes: number;
};

/** One endpoint at work: serves the clients of its listening sockets, whose coming and going it does not know. */
export class Endpoint {
  readonly #surroundings: Surroundings;
  readonly #connections = new Tally<TcpConnection>(
    (connection) => connection.fromClient.bytes,
    (connection) => connection.fromUpstream.bytes,
  );
  readonly #associations = new Tally<UdpAssociation>(
    (association) => association.fromClientBytes,
    (association) => association.fromUpstreamBytes,
  );
  #config: EndpointConfig;
  #balancer: Balancer;

  constructor(config: EndpointConfig, surroundings: Surroundings) {
    this.#config = config;
    this.#balancer = balancer(config.balance, config.remotes);
    this.#surroundings = surroundings;
  }

  get config(): EndpointConfig {
    return this.#config;
  }

  get connections(): Traffic {
    return this.#connections.traffic;
  }

  get associations(): Traffic {
    return this.#associations.traffic;
  }

  /**
   * Serves new clients as `config` says. Open connections go on as they are; associations with a remote
   * that is no longer listed end, since a busy one would never end by itself.
   */
  reconfigure(config: EndpointConfig): void {
    const [before, after] = [this.#config, config].map(({ balance, remotes }) =>
      JSON.stringify([balance, remotes]),
    );
    this.#config = config;
    if (before === after) return;
    this.#balancer = balancer(config.balance, config.remotes);
    const remotes = new Set(config.remotes.map(socketAddressText));
    for (const association of this.#associations) {
      if (!remotes.has(socketAddressText(association.remote))) association.close();
    }
  }

  /** Serves one TCP client. */
  serve(accepted: Socket): void {
    const connection = new TcpConnection(accepted, {
      ...this.#surroundings,
      endpoint: this.#config.name,
      network: this.#config.network,
      balancer: this.#balancer,
      onSettled: (settled, failure) => {
        this.#connections.leave(settled, failure);
      },
    });
    this.#connections.enter(connection);
  }

  /** Begins to serve one UDP client. */
  associate(client: UdpClient, reply: Reply, onClosed: () => void): UdpAssociation {
    const association = new UdpAssociation({
      ...this.#surroundings,
      endpoint: this.#config.name,
      client: clientText(client.address, client.port),
      remotes: this.#balancer(clientIp(client.address)),
      timeoutMs: this.#config.network.udpTimeoutMs,
      reply,
      onClosed: (closed, failure) => {
        this.#associations.leave(closed, failure);
        onClosed();
      },
    });
    this.#associations.enter(association);
    return association;
  }

  /** Resets every open connection and ends every association. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
    for (const association of this.#associations) association.close();
  }

  /** Resolves when nothing is open. */
  async idle(): Promise<void> {
    await Promise.all([this.#connections.idle(), this.#associations.idle()]);
  }
}

/** What is open, and what has been. */
class Tally<T> implements Iterable<T> {
  readonly #open = new Set<T>();
  readonly #fromClient: (item: T) => number;
  readonly #fromUpstream: (item: T) => number;
  readonly #failed = { client: 0, upstream: 0, relay: 0 };
  readonly #waiters: (() => void)[] = [];
  #total = 0;
  #fromClientBytes = 0;
  #fromUpstreamBytes = 0;

  constructor(fromClient: (item: T) => number, fromUpstream: (item: T) => number) {
    this.#fromClient = fromClient;
    this.#fromUpstream = fromUpstream;
  }

  get traffic(): Traffic {
    const open = [...this.#open];
    return {
      active: open.length,
      total: this.#total,
      failed: { ...this.#failed },
      fromClientBytes: open.reduce((bytes, item) => bytes + this.#fromClient(item), this.#fromClientBytes),
      fromUpstreamBytes: open.reduce(
        (bytes, item) => bytes + this.#fromUpstream(item),
        this.#fromUpstreamBytes,
      ),
    };
  }

  enter(item: T): void {
    this.#open.add(item);
    this.#total += 1;
  }

  leave(item: T, failure: Side | undefined): void {
    this.#open.delete(item);
    this.#fromClientBytes += this.#fromClient(item);
    this.#fromUpstreamBytes += this.#fromUpstream(item);
    if (failure !== undefined) this.#failed[failure] += 1;
    if (this.#open.size === 0) for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** Resolves when nothing is open. */
  async idle(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#open.values();
  }
}
