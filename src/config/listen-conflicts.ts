import { lastPort, listenText, portConflicts, type Listener, type WrittenAs } from '../api/port-conflicts.ts';
import { addressFamily, parseIpAddress } from '../lib/ip-address.ts';
import { memoize } from '../lib/memoize.ts';
import { present } from '../lib/record.ts';
import { socketAddressText, type SocketAddress } from './address.ts';
import { portsOf } from './port-config.ts';
import type { EndpointConfig } from './relay-config.ts';

/**
 * Every two listening sockets of the relay that cannot be bound side by side, one sentence each, with the remedy.
 *
 * `--check` and `standalone` report all of them, a failed bind its own, `validate` and the operator those within a RealmRelay:
 * all by `portConflicts`. Host names that were not looked up are compared as text.
 *
 * @param admin  where the admin server listens, which is bound before any endpoint; undefined = there is none.
 */
export function listenConflicts(
  endpoints: readonly EndpointConfig[],
  admin: SocketAddress | undefined,
  writtenAs: WrittenAs,
): readonly string[] {
  const all = endpoints.flatMap(listeners);
  const addresses = all.filter(hasAddress);
  const names = all.filter((each) => !hasAddress(each));
  const conflicts = [addresses, names].flatMap((each) => portConflicts(each, writtenAs));
  return [...conflicts.map(({ message }) => message), ...adminConflicts(addresses, admin)];
}

/**
 * The conflict of one listening socket with another endpoint, as `listenConflicts` reports it.
 *
 * @param endpoint  the endpoint of the socket, with its port as the only one.
 * @returns undefined if no other endpoint is in its way.
 */
export function conflictAt(
  endpoint: EndpointConfig,
  endpoints: readonly EndpointConfig[],
): string | undefined {
  const { name, listen } = endpoint;
  const mine = listenPorts([listen]).map((ports) => listener(endpoint, ports));
  const others = endpoints.filter((other) => other.name !== name).flatMap(listeners);
  const there = others
    .filter((other) => other.listen.port <= listen.port && listen.port <= lastPort(other.listen))
    .map((other) => ({ ...other, listen: { address: other.listen.address, port: listen.port } }));
  const conflicts = portConflicts([...mine, ...there].filter(hasAddress), 'Realm');
  return conflicts.find(({ endpoints: pair }) => pair.includes(name))?.message;
}

/** The listening sockets of an endpoint, consecutive ports as one; a port that the kernel chooses is none. */
const listeners = memoize((endpoint: EndpointConfig): readonly Listener[] => {
  const ports = portsOf(endpoint).map(({ listen }) => listen);
  return listenPorts(ports).map((listen) => listener(endpoint, listen));
});

function listener({ name, network, sni }: EndpointConfig, listen: Listener['listen']): Listener {
  const { tcp, udp, ipv6Only, acceptMptcp, acceptProxy } = network;
  return {
    name,
    listen,
    network: { tcp, udp, ipv6Only, acceptMptcp, acceptProxy: { enabled: acceptProxy !== undefined } },
    ...present('sni', sni),
  };
}

function listenPorts(addresses: readonly SocketAddress[]): Listener['listen'][] {
  const runs: { readonly first: SocketAddress; endPort: number }[] = [];
  for (const listen of addresses.toSorted((a, b) => a.port - b.port)) {
    const run = runs.at(-1);
    if (run?.endPort === listen.port - 1) run.endPort = listen.port;
    else if (listen.port !== 0) runs.push({ first: listen, endPort: listen.port });
  }
  return runs.map(({ first: { host, port, ip }, endPort }) => ({
    address: ip ?? { family: 'IPv4', text: host.toLowerCase(), zone: '' },
    ...(ip !== undefined && parseIpAddress(host) === undefined && { host }),
    port,
    ...(endPort > port && { endPort }),
  }));
}

function hasAddress({ listen }: Listener): boolean {
  return addressFamily(listen.address.text) !== undefined;
}

function adminConflicts(all: readonly Listener[], admin: SocketAddress | undefined): string[] {
  if (admin?.ip === undefined || admin.port === 0) return [];
  const { ip: address, port } = admin;
  const network = { tcp: true, udp: false, ipv6Only: false };
  return all
    .filter((each) => portConflicts([each, { name: '', listen: { address, port }, network }]).length > 0)
    .map(
      (each) =>
        `endpoint "${each.name}" (${listenText(each)}) and the admin server (${socketAddressText(admin)}) cannot share ` +
        `TCP port ${String(port)}: choose another port for the endpoint, or another address with --admin`,
    );
}
