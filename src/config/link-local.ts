import { isWithoutZone } from '../lib/ip-address.ts';
import { socketAddressText, type SocketAddress } from './address.ts';
import { portsOf } from './port-config.ts';
import type { EndpointConfig } from './relay-config.ts';

/** What to write for a link-local address, which each interface may have. @param key  names the interface instead. */
export function zoneRemedy(address: SocketAddress, key: string): string {
  const { ip } = address;
  const zoned = socketAddressText({ ...address, ...(ip && { ip: { ...ip, zone: 'IFACE' } }) });
  return `write ${zoned}, where IFACE is the interface that "ip address" lists for it, or set ${key}`;
}

/** The endpoints that listen on, or relay to, a link-local address without its zone: one sentence each, with the remedy. */
export function zoneProblems(endpoints: readonly EndpointConfig[]): readonly string[] {
  return endpoints.flatMap((endpoint) => {
    const { name, listenDevice, dialDevice, through } = endpoint;
    const [first] = portsOf(endpoint);
    const listens = listenDevice === undefined && first !== undefined ? [first.listen] : [];
    // Linux: a source address with a zone binds the socket to its interface.
    const isBound = dialDevice !== undefined || (through?.ip?.zone ?? '') !== '';
    const dials = isBound ? [] : (first?.remotes ?? []);
    return [
      ...problems(`endpoint "${name}" cannot listen on`, listens, 'listen_interface'),
      ...problems(`endpoint "${name}" cannot relay to`, dials, 'interface'),
    ];
  });
}

function problems(what: string, addresses: readonly SocketAddress[], key: string): readonly string[] {
  return addresses
    .filter(({ ip }) => ip !== undefined && isWithoutZone(ip))
    .map(
      (address) =>
        `${what} ${address.host}, a link-local address without a zone: ${zoneRemedy(address, key)}`,
    );
}
