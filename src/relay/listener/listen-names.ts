import type { SocketAddress } from '../../config/address.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { asError } from '../../lib/errors.ts';
import { parseIpAddress, type IpAddress } from '../../lib/ip-address.ts';
import type { Lookup } from '../dns/lookup.ts';

/** Endpoints with the addresses that they would be bound to, and a sentence for each name that has none. */
export type ListenAddresses = {
  readonly endpoints: readonly EndpointConfig[];
  readonly warnings: readonly string[];
};

/**
 * Looks up the names that `endpoints` listen on, each once. As in `bindAddress`, an endpoint is bound to the first address of
 * its name; those whose name is not found stay as they are.
 *
 * @param signal  ends the lookups; what is not known by then counts as not found.
 */
export async function withListenAddresses(
  endpoints: readonly EndpointConfig[],
  lookup: Lookup,
  signal: AbortSignal,
): Promise<ListenAddresses> {
  const names = new Set(endpoints.flatMap(({ listen: { host, ip } }) => (ip === undefined ? [host] : [])));
  const found = new Map<string, IpAddress>();
  const faults = new Map<string, string>();
  const find = async (name: string): Promise<void> => {
    try {
      const [first = ''] = await lookup(name, signal);
      const address = parseIpAddress(first);
      if (address === undefined) faults.set(name, 'it has no address');
      else found.set(name, address);
    } catch (error) {
      faults.set(name, asError(error).message);
    }
  };
  await Promise.all([...names].map(find));
  const withAddress = (at: SocketAddress): SocketAddress => {
    const ip = at.ip ?? found.get(at.host);
    return ip === undefined ? at : { ...at, ip };
  };
  const warnings = endpoints.flatMap(({ name, listen: { host } }) => {
    const fault = faults.get(host);
    const remedy = 'listen on an address, or on a name that this machine resolves';
    return fault === undefined
      ? []
      : [`endpoint "${name}" cannot listen on ${host}, which is not resolved (${fault}): ${remedy}`];
  });
  return {
    endpoints: endpoints.map((endpoint) => ({
      ...endpoint,
      listen: withAddress(endpoint.listen),
      ...(endpoint.range && {
        range: endpoint.range.map((port) => ({ ...port, listen: withAddress(port.listen) })),
      }),
    })),
    warnings,
  };
}
