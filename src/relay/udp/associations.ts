import type { EndpointConfig } from '../../config/relay-config.ts';
import { clientIp, clientText } from '../../lib/client-address.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import { Incident } from '../stats/incident.ts';
import { EvictionOrder } from './eviction-order.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import type { RemotePool } from '../upstream/remote-pool.ts';
import { TrafficStats, type Traffic } from '../stats/traffic.ts';
import { UdpAssociation, type AssociationContext, type AssociationEnd } from './association.ts';
import type { Reply, UdpClient } from '../listener/udp-listener.ts';

/** What the associations of an endpoint need of it. */
export type AssociationsContext = Pick<AssociationContext, 'log' | 'warn' | 'clock' | 'lookup'> & {
  readonly budget: DescriptorBudget;
  readonly errors: RecentErrors;
  /** Whether a client may have one: counted and told where not. */
  readonly allowsAssociation: (client: UdpClient) => boolean;
  /** The endpoint's, which may change. */
  readonly config: () => EndpointConfig;
  /** The remotes of a listening port; undefined where the endpoint has it no more. */
  readonly pool: (port: number) => RemotePool | undefined;
};

/**
 * The UDP clients of an endpoint. Where there is no room for another one, the association that has been idle
 * for longest makes it: a client that comes back later just begins anew, as with any NAT.
 */
export class Associations {
  /** Those that made room for another client. */
  evicted = 0;
  /** Clients that were turned away, since there was no descriptor and nothing to make room. */
  refused = 0;
  readonly #context: AssociationsContext;
  readonly #open = new Set<UdpAssociation>();
  readonly #stats = new TrafficStats<UdpAssociation>(
    (association) => association.fromClientBytes,
    (association) => association.fromUpstreamBytes,
  );
  readonly #evictionOrder = new EvictionOrder(this.#open);
  readonly #limitIncident: Incident;
  readonly #shortageIncident: Incident;

  constructor(context: AssociationsContext) {
    const { clock, log, config } = context;
    this.#context = context;
    this.#limitIncident = new Incident(clock, {
      started: () => {
        const { name: endpoint, network } = config();
        const fields = { endpoint, maxAssociations: network.maxAssociations };
        log.warn(fields, 'association limit reached, those idle for longest make room');
      },
      ended: (evicted) => {
        this.#evictionOrder.forget();
        log.info({ endpoint: config().name, evicted }, 'the association limit is no longer reached');
      },
    });
    this.#shortageIncident = new Incident(clock, {
      started: () => {
        const fields = { endpoint: config().name, associations: this.active };
        log.warn(fields, 'file descriptors are short, UDP clients are turned away or make room for others');
      },
      ended: (clients) => {
        this.#evictionOrder.forget();
        log.info({ endpoint: config().name, clients }, 'there are file descriptors for UDP clients again');
      },
    });
  }

  get traffic(): Traffic {
    return this.#stats.traffic;
  }

  get active(): number {
    return this.#stats.active;
  }

  /** Begins to serve one client of a listening port. @returns undefined where there is no room for it, or it may not. */
  associate(port: number, client: UdpClient, reply: Reply, onClosed: () => void): UdpAssociation | undefined {
    const { budget, config, errors } = this.#context;
    const pool = this.#context.pool(port);
    if (pool === undefined || !this.#context.allowsAssociation(client)) return undefined;
    budget.take(1); // before another one gives its own back, which a TCP client that waits would get
    if (!this.#hasMadeRoom()) {
      budget.release(1);
      this.refused += 1;
      const error = { message: 'file descriptors are short, UDP clients are turned away' };
      errors.add({ endpoint: config().name, side: 'relay', reason: 'DescriptorsShort', error });
      return undefined;
    }
    const { name: endpoint, network, through } = config();
    const ip = clientIp(client.address);
    const association = new UdpAssociation({
      ...this.#context,
      endpoint,
      client: clientText(client.address, client.port),
      ip,
      port,
      remotes: pool.order(ip),
      timeoutMs: network.udpTimeoutMs,
      through,
      reply,
      onClosed: (closed, failure) => {
        this.#open.delete(closed);
        this.#stats.closed(closed, failure);
        onClosed();
        budget.release(1);
      },
    });
    this.#open.add(association);
    this.#stats.opened(association);
    return association;
  }

  /** Ends those that `isKept` does not hold for. @param end  why. */
  keepOnly(isKept: (association: UdpAssociation) => boolean, end: AssociationEnd): void {
    for (const association of this.#open) if (!isKept(association)) association.close(end);
  }

  /** Ends all of them. */
  cut(): void {
    for (const association of this.#open) association.close('Stopped');
    this.#limitIncident.end();
    this.#shortageIncident.end();
  }

  /** Resolves when there is none. */
  idle(): Promise<void> {
    return this.#stats.idle();
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

  /** @returns whether there was one. */
  #evict(): boolean {
    const longest = this.#evictionOrder.longestIdle();
    if (longest === undefined) return false;
    this.evicted += 1;
    longest.close('Evicted');
    return true;
  }
}
