import type { Socket } from 'node:net';
import { socketAddressText } from '../config/address.ts';
import type { EndpointConfig } from '../config/relay-config.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { clientIp, clientText } from './client-address.ts';
import type { DescriptorBudget } from './descriptor-budget.ts';
import type { Lookup } from './dial.ts';
import { Gate, type Borrower, type Lease } from './gate.ts';
import { EndpointRemotes, type EndpointRemotesContext } from './endpoint-remotes.ts';
import { IdleSweep, type IdleLimits } from './idle-sweep.ts';
import { Tally, type Traffic } from './tally.ts';
import { TcpConnection } from './tcp-connection.ts';
import { UdpAssociation } from './udp-association.ts';
import type { Reply, UdpClient } from './udp-listener.ts';

/** What every part of the relay works with. */
export type Surroundings = {
  readonly log: Logger;
  readonly clock: Clock;
  readonly lookup: Lookup;
  /** In [0, 1), for the jitter of retries. */
  readonly random: () => number;
  readonly budget: DescriptorBudget;
  /** Lends places where a connection limit holds for several processes. */
  readonly lease?: (endpoint: string, borrower: Borrower) => Lease;
} & Pick<EndpointRemotesContext, 'onRemoteEvent'>;

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
  readonly #gate: Gate;
  readonly #idleSweep: IdleSweep;
  /** For whoever knows more of them. */
  readonly remotes: EndpointRemotes;
  /** Associations that were not made, since there was no descriptor for them. */
  #refusedAssociations = 0;
  #config: EndpointConfig;

  constructor(config: EndpointConfig, surroundings: Surroundings) {
    this.#config = config;
    this.remotes = new EndpointRemotes(config, surroundings);
    this.#surroundings = surroundings;
    this.#idleSweep = new IdleSweep(surroundings.clock, this.#connections, idleLimits(config));
    this.#gate = new Gate({
      ...surroundings,
      config: () => this.#config,
      active: () => this.#connections.active,
      serve: (accepted) => {
        this.#connect(accepted);
      },
    });
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

  get health(): EndpointRemotes['health'] {
    return this.remotes.health;
  }

  /** TCP clients that wait for a place. */
  get waiting(): number {
    return this.#gate.waiting;
  }

  /** Clients that were turned away since there was no place for them. */
  get refused(): { readonly connections: number; readonly associations: number } {
    return { connections: this.#gate.refused, associations: this.#refusedAssociations };
  }

  /** What is open or waits. */
  get load(): number {
    return this.#gate.waiting + this.#connections.active + this.#associations.active;
  }

  /**
   * Serves new clients as `config` says. Open connections go on, under its idle limits; associations with a remote
   * that is no longer listed end, since a busy one would never end by itself.
   */
  reconfigure(config: EndpointConfig): void {
    this.#config = config;
    this.#surroundings.budget.serveWaiting(); // the limit may be higher now
    this.#idleSweep.limit(idleLimits(config));
    this.remotes.configure(config);
    const remotes = new Set(config.remotes.map(socketAddressText));
    for (const association of this.#associations) {
      if (!remotes.has(association.remote.text)) association.close();
    }
  }

  /** Serves one TCP client, at once or when there is a place. */
  serve(accepted: Socket): void {
    this.#gate.enter(accepted);
  }

  #connect(accepted: Socket): void {
    const connection = new TcpConnection(accepted, {
      ...this.#surroundings,
      endpoint: this.#config.name,
      network: this.#config.network,
      through: this.#config.through,
      order: (ip) => this.remotes.order('TCP', ip),
      onSettled: (settled, failure) => {
        this.#connections.leave(settled, failure);
        this.#gate.leave();
      },
    });
    this.#connections.enter(connection);
    this.#idleSweep.watch();
  }

  /** Begins to serve one UDP client. @returns undefined where there is no descriptor for it. */
  associate(client: UdpClient, reply: Reply, onClosed: () => void): UdpAssociation | undefined {
    const { budget } = this.#surroundings;
    if (!budget.hasRoom(1)) {
      this.#refusedAssociations += 1;
      return undefined;
    }
    budget.take(1);
    const association = new UdpAssociation({
      ...this.#surroundings,
      endpoint: this.#config.name,
      client: clientText(client.address, client.port),
      remotes: this.remotes.order('UDP', clientIp(client.address)),
      timeoutMs: this.#config.network.udpTimeoutMs,
      through: this.#config.through,
      reply,
      onClosed: (closed, failure) => {
        this.#associations.leave(closed, failure);
        onClosed();
        budget.giveBack(1);
      },
    });
    this.#associations.enter(association);
    return association;
  }

  /** No new clients will come. */
  retire(): void {
    this.remotes.stop();
  }

  /** Resets every open connection and all who wait, and ends every association. */
  cut(): void {
    this.retire();
    this.#gate.cut();
    for (const connection of this.#connections) connection.cut();
    for (const association of this.#associations) association.close();
  }

  /** Resolves when nothing is open and nobody waits. */
  async idle(): Promise<void> {
    while (this.load > 0)
      await Promise.all([this.#gate.idle(), this.#connections.idle(), this.#associations.idle()]);
  }
}

function idleLimits({ network }: EndpointConfig): IdleLimits {
  return { idleMs: network.tcpIdleTimeoutMs, halfClosedMs: network.tcpHalfCloseTimeoutMs };
}
