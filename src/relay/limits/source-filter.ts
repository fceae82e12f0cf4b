import type { EndpointNetwork } from '../../config/network-keys.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { isWithin } from '../../lib/address-ranges.ts';
import { RealmError } from '../../lib/errors.ts';
import { clientText } from '../../lib/client-address.ts';
import type { Address } from '../net/channel.ts';
import type { Warn } from '../stats/log-limiter.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';

/** The client that a PROXY header names is not allowed. */
export class SourceError extends RealmError {
  readonly code = 'REALM_SOURCE_NOT_ALLOWED';

  constructor() {
    super('the client is not in allowed_sources: add it there to serve it');
  }
}

/** Whether clients at `address` are allowed. Without a list all are. */
export function isAllowed({ allowedSources }: EndpointNetwork, address: string): boolean {
  return allowedSources.length === 0 || isWithin(allowedSources, address);
}

/** What a source filter needs of its endpoint. */
export type SourceFilterContext = {
  /** The endpoint's configuration, which a reload may change. */
  readonly config: () => EndpointConfig;
  readonly errors: RecentErrors;
  /** Rate-limited, since thousands of strangers may come. */
  readonly warn: Warn;
};

/** Allows the clients of an endpoint that `allowed_sources` names; counts and logs the others. */
export class SourceFilter {
  /** TCP clients, and datagrams of UDP clients, that were turned away. */
  readonly refused = { connections: 0, associations: 0 };
  readonly #context: SourceFilterContext;

  constructor(context: SourceFilterContext) {
    this.#context = context;
  }

  /** Whether to serve a TCP client that was just accepted; true if its PROXY header is still to decide that. */
  allowsPeer(peer: Address): boolean {
    const { name: endpoint, network } = this.#context.config();
    if (network.acceptProxy !== undefined || isAllowed(network, peer.address)) return true;
    if (peer.address === '') return false; // already gone, and its address with it
    this.#refuse('connections');
    const fields = { endpoint, client: clientText(peer.address, peer.port), side: 'client' };
    this.#context.warn(fields, 'client rejected, its address is not in allowed_sources');
    return false;
  }

  /** Whether to serve the TCP client that its PROXY header names. The connection logs a refusal at its end. */
  allowsSource(address: string): boolean {
    if (isAllowed(this.#context.config().network, address)) return true;
    this.#refuse('connections');
    return false;
  }

  /** Whether to create an association for a UDP client. */
  allowsAssociation(client: Address): boolean {
    const { name: endpoint, network } = this.#context.config();
    if (isAllowed(network, client.address)) return true;
    this.#refuse('associations');
    const fields = { endpoint, client: clientText(client.address, client.port), side: 'client' };
    this.#context.warn(fields, 'datagram dropped, its source is not in allowed_sources');
    return false;
  }

  #refuse(what: keyof SourceFilter['refused']): void {
    this.refused[what] += 1;
    this.#context.errors.add({
      endpoint: this.#context.config().name,
      side: 'client',
      reason: 'SourceNotAllowed',
      error: { message: 'clients rejected, their addresses are not allowed' },
    });
  }
}
