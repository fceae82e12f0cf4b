/**
 * The udp room: UDP clients, one *association* each.
 *
 * An association maps one client, an address and port, to one remote, by a socket of its own, as a NAT does. It is
 * *idle* while neither side sends and ends when it has been idle for `udp_timeout`. If there is no room for another
 * client, an association is *evicted*: the oldest one that its remote has never answered, so that a flood of strangers
 * ends itself and not the sessions in use; if there is none, the one that has been idle for longest.
 *
 * Guarantee: the client receives only what its remote sends, and the failure of one association does not affect another.
 * A new client is turned away only if no association can make room for it.
 */
import type { EndpointNetwork } from '../../config/network-keys.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { clientIp, clientNetwork, clientText } from '../../lib/client-address.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Lookup } from '../dns/lookup.ts';
import type { ClientLimit } from '../limits/client-limit.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import type { OwnSockets, RelayPath } from '../limits/own-sockets.ts';
import type { MemoryBudget } from '../limits/memory-budget.ts';
import type { DatagramClient, UdpStack } from '../net/datagrams.ts';
import { Incident } from '../stats/incident.ts';
import type { Warn } from '../stats/log-limiter.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import { TrafficStats, type Traffic } from '../stats/traffic.ts';
import type { RemotePool } from '../upstream/remote-pool.ts';
import { datagramHeader } from '../proxy-protocol/header.ts';
import { UdpAssociation, type AssociationEnd } from './association.ts';
import { EvictionOrder } from './eviction-order.ts';
import type { DatagramHeader } from './upstream.ts';

/** How often the associations that another thread carries are reviewed. */
const reviewMs = 1000;

/** What the associations of an endpoint need of it. */
export type AssociationsContext = {
  readonly log: Logger;
  /** Rate-limited, since every client may fail. */
  readonly warn: Warn;
  readonly errors: RecentErrors;
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly udp: UdpStack;
  readonly budget: DescriptorBudget;
  readonly memory: MemoryBudget;
  readonly clientLimit: ClientLimit;
  readonly ownSockets: OwnSockets;
  /** The endpoint's configuration, which a reload may change. */
  readonly config: () => EndpointConfig;
};

/** A client that is to have an association. */
export type AssociationRequest = {
  readonly client: DatagramClient;
  /** The listening port that it came to, as configured. */
  readonly port: number;
  /** The listening ports that it came through, that one included. */
  readonly path: RelayPath;
  /** The remotes of that port, which a reload may change; undefined if it removed the port. */
  readonly pool: () => RemotePool | undefined;
  /** Called once, when the association has ended. */
  readonly onClosed: () => void;
};

/** The associations of an endpoint. An evicted client that sends again gets a new association, as with any NAT. */
export class Associations {
  /** Associations that made room for another client. */
  evicted = 0;
  /** Clients that were turned away, since there was no descriptor and no association to evict. */
  refused = 0;
  readonly #context: AssociationsContext;
  readonly #open = new Set<UdpAssociation>();
  readonly #stats = new TrafficStats<UdpAssociation>(
    (association) => association.fromClientBytes,
    (association) => association.fromUpstreamBytes,
  );
  readonly #evictionOrder = new EvictionOrder<UdpAssociation>();
  readonly #limitIncident: Incident;
  readonly #shortageIncident: Incident;
  #isReviewDue = false;

  constructor(context: AssociationsContext) {
    const { clock, log, config } = context;
    this.#context = context;
    this.#limitIncident = new Incident(clock, {
      started: () => {
        const { name: endpoint, network } = config();
        const fields = { endpoint, maxAssociations: network.maxAssociations };
        log.warn(fields, 'association limit reached, evicting associations');
      },
      ended: (evicted) => {
        this.#evictionOrder.forget();
        log.info({ endpoint: config().name, evicted }, 'association limit no longer reached');
      },
    });
    this.#shortageIncident = new Incident(clock, {
      started: () => {
        const fields = { endpoint: config().name, associations: this.active };
        log.warn(fields, 'file descriptor limit reached, evicting or rejecting UDP clients');
      },
      ended: (clients) => {
        this.#evictionOrder.forget();
        log.info({ endpoint: config().name, clients }, 'file descriptors available again for UDP clients');
      },
    });
  }

  get traffic(): Traffic {
    return this.#stats.traffic;
  }

  get active(): number {
    return this.#stats.active;
  }

  /** Counts, in the remotes too, what other threads have carried so far. */
  countTraffic(): void {
    for (const association of this.#open) association.review();
  }

  /** Creates the association of a client. @returns undefined if the client has too many, or there is no room for it. */
  associate(request: AssociationRequest): UdpAssociation | undefined {
    const { budget, clientLimit, config, errors } = this.#context;
    const countedAs = clientNetwork(request.client.address);
    if (!clientLimit.take(countedAs)) return undefined;
    budget.take(1); // before an evicted one releases its own, which a TCP client that waits would get
    if (!this.#hasMadeRoom()) {
      budget.release(1);
      clientLimit.release(countedAs);
      this.refused += 1;
      const error = { message: 'file descriptor limit reached, rejecting UDP clients' };
      errors.add({ endpoint: config().name, side: 'relay', reason: 'DescriptorsShort', error });
      return undefined;
    }
    const association = this.#newAssociation(request);
    this.#open.add(association);
    this.#evictionOrder.add(association);
    this.#stats.opened(association);
    return association;
  }

  /** Ends the associations for which `isKept` is false. @param end  why. */
  keepOnly(isKept: (association: UdpAssociation) => boolean, end: AssociationEnd): void {
    for (const association of this.#open) if (!isKept(association)) association.close(end);
  }

  /** Ends every association. */
  cut(): void {
    for (const association of this.#open) association.close('Stopped');
    this.#limitIncident.end();
    this.#shortageIncident.end();
  }

  /** Resolves when none is open. */
  idle(): Promise<void> {
    return this.#stats.idle();
  }

  #newAssociation({ client, port, path, pool, onClosed }: AssociationRequest): UdpAssociation {
    const { log, warn, clock, lookup, udp, budget, memory, clientLimit, ownSockets, config } = this.#context;
    const { name: endpoint, network, through, dialDevice: device, deniedDestinations: denied } = config();
    const ip = clientIp(client.address);
    return new UdpAssociation({
      log,
      warn,
      clock,
      lookup,
      udp,
      memory,
      endpoint,
      client: clientText(client.address, client.port),
      ip,
      port,
      path,
      ownSockets,
      pool,
      budget,
      header: headerOf(client, network),
      timeoutMs: network.udpTimeoutMs,
      through,
      device,
      denied,
      dscp: network.dscp,
      reply: (datagram) => {
        client.reply(datagram);
      },
      carry: client.carry && ((request) => client.carry?.(request)),
      onCarried: () => {
        this.#reviewLater();
      },
      onAnswered: (answered) => {
        this.#evictionOrder.answered(answered);
      },
      onClosed: (closed, failure) => {
        this.#open.delete(closed);
        this.#evictionOrder.remove(closed);
        this.#stats.closed(closed, failure);
        onClosed();
        budget.release(1);
        clientLimit.release(clientNetwork(client.address));
      },
    });
  }

  #reviewLater(): void {
    if (this.#isReviewDue) return;
    this.#isReviewDue = true;
    this.#context.clock.after(reviewMs, () => {
      this.#isReviewDue = false;
      const carried = [...this.#open].filter(({ isCarried }) => isCarried);
      for (const association of carried) association.review();
      if (carried.length > 0) this.#reviewLater();
    });
  }

  #hasMadeRoom(): boolean {
    const { budget, config } = this.#context;
    const { maxAssociations } = config().network;
    while (maxAssociations > 0 && this.active >= maxAssociations) {
      this.#limitIncident.occurred();
      this.#evict();
    }
    if (budget.hasRoom(0)) return true;
    this.#shortageIncident.occurred();
    return this.#evict();
  }

  /** @returns whether there was one to evict. */
  #evict(): boolean {
    const next = this.#evictionOrder.next();
    if (next === undefined) return false;
    this.evicted += 1;
    next.close('Evicted');
    return true;
  }
}

/** The PROXY header of the client's datagrams; undefined = none. */
function headerOf(client: DatagramClient, network: EndpointNetwork): DatagramHeader | undefined {
  if (network.sendProxyUdp !== true) return undefined;
  const bytes = datagramHeader({ source: client, destination: client.local });
  return { bytes, isForEach: network.sendProxyEveryDatagram === true };
}
