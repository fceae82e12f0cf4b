import { prediction, type Protocol } from '../../api/port-conflicts.ts';
import { servedHosts } from '../../api/sni.ts';
import { socketAddressText, type SocketAddress } from '../../config/address.ts';
import { portsOf } from '../../config/port-config.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { present } from '../../lib/record.ts';

/** Identifies a listening socket, which stays open as long as its spec is wanted. */
export type SocketSpec = {
  readonly protocol: Protocol;
  readonly listen: SocketAddress;
  /** IPV6_V6ONLY; false if the address is IPv4. */
  readonly ipv6Only: boolean;
  /** The network interface whose clients arrive; absent = every one. */
  readonly device?: string;
  /** Whether clients of TCP may use Multipath TCP; absent = no. */
  readonly mptcp?: true;
  /** Equal for equal specs, however their addresses are spelt. A copy for another endpoint has a key of its own. */
  readonly key: string;
};

/** A listening socket that is needed, by one endpoint, or by several that share it by the names of TLS clients. */
export type WantedSocket = SocketSpec & { readonly endpoints: ServedEndpoints };

/** The names of the endpoints whose clients arrive at a socket, in the order of the configuration. */
export type ServedEndpoints = readonly [string, ...string[]];

/** How to get from the running sockets to the wanted ones; each list is in the order of the configuration. */
export type SocketPlan = {
  /** Running already. */
  readonly keep: readonly WantedSocket[];
  /** New, and in conflict with no running one. */
  readonly bind: readonly WantedSocket[];
  /** New, and in conflict with one of `closeFirst`. */
  readonly rebind: readonly WantedSocket[];
  /** New, and in conflict with another wanted one that has priority: one that is kept, or an earlier one. */
  readonly contested: readonly WantedSocket[];
  /** No longer wanted, and to be closed before `rebind`. */
  readonly closeFirst: readonly SocketSpec[];
  /** No longer wanted. */
  readonly close: readonly SocketSpec[];
};

/** Every listening socket that `endpoints` need, in their order. */
export function wantedSockets(endpoints: readonly EndpointConfig[]): WantedSocket[] {
  const copies = new Map<string, number>();
  const shared = new SharedSockets();
  return endpoints.flatMap((endpoint) =>
    endpointSockets(endpoint).flatMap((socket) => {
      const name = socketName(socket);
      if (shared.join(name, endpoint)) return [];
      const copy = copies.get(name) ?? 0;
      copies.set(name, copy + 1);
      const names: [string, ...string[]] = [endpoint.name];
      if (socket.listen.port !== 0) shared.offer(name, endpoint, names);
      return { ...socket, key: `${name} ${String(copy)}`, endpoints: names };
    }),
  );
}

/** A socket that endpoints with other names of TLS clients may share. */
type SharedSocket = {
  readonly endpoints: string[];
  readonly hosts: Set<string>;
  readonly acceptsProxy: boolean;
};

/** The sockets of TLS clients whose names decide about the endpoint, by their name. */
class SharedSockets {
  readonly #sockets = new Map<string, SharedSocket>();

  /** Others may share the socket `name` of `endpoint`. @param endpoints  gets their names. */
  offer(name: string, { sni, network }: EndpointConfig, endpoints: string[]): void {
    if (sni === undefined || this.#sockets.has(name)) return;
    const acceptsProxy = network.acceptProxy !== undefined;
    this.#sockets.set(name, { endpoints, hosts: new Set(servedHosts(sni)), acceptsProxy });
  }

  /** @returns whether `endpoint` shares the socket `name` of others from now on. */
  join(name: string, { name: endpoint, sni, network }: EndpointConfig): boolean {
    const socket = this.#sockets.get(name);
    if (socket === undefined || sni === undefined) return false;
    const hosts = servedHosts(sni);
    const isTaken = hosts.some((host) => socket.hosts.has(host));
    if (isTaken || socket.acceptsProxy !== (network.acceptProxy !== undefined)) return false;
    for (const host of hosts) socket.hosts.add(host);
    socket.endpoints.push(endpoint);
    return true;
  }
}

/** Ordered by port, TCP before UDP. */
function endpointSockets(endpoint: EndpointConfig): Omit<SocketSpec, 'key'>[] {
  const { network } = endpoint;
  return portsOf(endpoint).flatMap(({ listen }) => {
    const ipv6Only = network.ipv6Only && listen.ip?.family !== 'IPv4';
    return protocols(network).map((protocol) => ({
      protocol,
      listen,
      ipv6Only,
      ...present('device', endpoint.listenDevice),
      ...(protocol === 'TCP' && network.acceptMptcp && { mptcp: true as const }),
    }));
  });
}

function protocols({ tcp, udp }: EndpointConfig['network']): Protocol[] {
  return [...(tcp ? (['TCP'] as const) : []), ...(udp ? (['UDP'] as const) : [])];
}

function socketName({ protocol, listen, ipv6Only, device, mptcp }: Omit<SocketSpec, 'key'>): string {
  const where = device === undefined ? '' : ` interface ${device}`;
  const options = `${ipv6Only ? ' ipv6Only' : ''}${mptcp === true ? ' mptcp' : ''}`;
  return `${protocol} ${socketAddressText(listen)}${options}${where}`;
}

/** Plans a reload from predicted conflicts; whether a bind succeeds is up to the kernel. */
export function socketPlan(running: readonly SocketSpec[], wanted: readonly WantedSocket[]): SocketPlan {
  const runningKeys = new Set(running.map(({ key }) => key));
  const wantedKeys = new Set(wanted.map(({ key }) => key));
  const keep = wanted.filter(({ key }) => runningKeys.has(key));
  const obsolete = running.filter(({ key }) => !wantedKeys.has(key));
  const winners = new SpecsByPort(keep);
  const contested: WantedSocket[] = [];
  const added: WantedSocket[] = [];
  for (const socket of wanted) {
    if (runningKeys.has(socket.key)) continue;
    const loses = winners.conflictWith(socket);
    (loses ? contested : added).push(socket);
    if (!loses) winners.add(socket);
  }
  const inTheWay = new SpecsByPort(obsolete);
  const { rebind = [], bind = [] } = Object.groupBy(added, (socket) =>
    inTheWay.conflictWith(socket) ? 'rebind' : 'bind',
  );
  const rebound = new SpecsByPort(rebind);
  const { closeFirst = [], close = [] } = Object.groupBy(obsolete, (old) =>
    rebound.conflictWith(old) ? 'closeFirst' : 'close',
  );
  return {
    keep,
    bind,
    rebind,
    contested,
    closeFirst,
    close,
  };
}

/** Sockets by their port, because a relay may have tens of thousands, and only those of one port can conflict. */
class SpecsByPort {
  readonly #specs = new Map<number, SocketSpec[]>();

  constructor(specs: readonly SocketSpec[]) {
    for (const spec of specs) this.add(spec);
  }

  add(spec: SocketSpec): void {
    const { port } = spec.listen;
    const known = this.#specs.get(port);
    if (known === undefined) this.#specs.set(port, [spec]);
    else known.push(spec);
  }

  /** Whether the kernel refuses `spec` beside one of them. */
  conflictWith(spec: SocketSpec): boolean {
    return (this.#specs.get(spec.listen.port) ?? []).some((known) => conflict(known, spec));
  }
}

/** Whether the kernel refuses the second of two sockets, as far as known without resolving host names. */
function conflict(first: SocketSpec, second: SocketSpec): boolean {
  if (first.protocol !== second.protocol || first.listen.port !== second.listen.port) return false;
  // Linux, inet_bind_conflict: sockets of two interfaces share a port
  if (first.device !== undefined && second.device !== undefined && first.device !== second.device)
    return false;
  if (first.listen.port === 0 || first.listen.ip === undefined || second.listen.ip === undefined)
    return false;
  const [a, b] = [
    { address: first.listen.ip, ipv6Only: first.ipv6Only },
    { address: second.listen.ip, ipv6Only: second.ipv6Only },
  ];
  return prediction(a, b) === 'conflicts';
}
