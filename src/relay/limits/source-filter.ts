import type { EndpointNetwork } from '../../config/network-keys.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { RealmError } from '../../lib/errors.ts';
import { isWithin } from '../../lib/address-ranges.ts';
import type { Address } from '../net/channel.ts';
import { clientText } from '../../lib/client-address.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import type { Warn } from '../stats/log-limiter.ts';

/** The client that a PROXY header tells of may not come in. */
export class SourceError extends RealmError {
  readonly code = 'REALM_SOURCE_NOT_ALLOWED';

  constructor() {
    super('the client is not in allowed_sources: name it there if it is to be served');
  }
}

/** Whether clients at `address` may come in. No list lets everybody in. */
export function isAllowed({ allowedSources }: EndpointNetwork, address: string): boolean {
  return allowedSources.length === 0 || isWithin(allowedSources, address);
}

/** What an admission needs of its endpoint. */
export type SourceFilterContext = {
  /** The endpoint's, which may change. */
  readonly config: () => EndpointConfig;
  readonly errors: RecentErrors;
  /** Limited: strangers come by the thousand. */
  readonly warn: Warn;
};

/** Lets in those clients of an endpoint that `allowed_sources` names; the others are counted and told. */
export class SourceFilter {
  /** TCP clients, and datagrams of UDP clients, that were turned away. */
  readonly refused = { connections: 0, associations: 0 };
  readonly #context: SourceFilterContext;

  constructor(context: SourceFilterContext) {
    this.#context = context;
  }

  /** Whether to take a TCP client that was just accepted; one that is to send a PROXY header is asked for it first. */
  allowsPeer(peer: Address): boolean {
    const { name: endpoint, network } = this.#context.config();
    if (network.acceptProxy !== undefined || isAllowed(network, peer.address)) return true;
    if (peer.address === '') return false; // it is gone already, whoever it was
    this.#refuse('connections');
    const fields = { endpoint, client: clientText(peer.address, peer.port), side: 'client' };
    this.#context.warn(fields, 'client reset: name it in allowed_sources if it is to be served');
    return false;
  }

  /** Whether to serve the TCP client that a PROXY header, read by now, tells of. The connection tells of it at its end. */
  allowsSource(address: string): boolean {
    if (isAllowed(this.#context.config().network, address)) return true;
    this.#refuse('connections');
    return false;
  }

  /** Whether to make an association for a UDP client. */
  allowsAssociation(client: Address): boolean {
    const { name: endpoint, network } = this.#context.config();
    if (isAllowed(network, client.address)) return true;
    this.#refuse('associations');
    const fields = { endpoint, client: clientText(client.address, client.port), side: 'client' };
    this.#context.warn(fields, 'datagram dropped: name its sender in allowed_sources if it is to be served');
    return false;
  }

  #refuse(what: keyof SourceFilter['refused']): void {
    this.refused[what] += 1;
    this.#context.errors.add({
      endpoint: this.#context.config().name,
      side: 'client',
      reason: 'SourceNotAllowed',
      error: { message: 'clients are turned away, since allowed_sources does not name them' },
    });
  }
}
