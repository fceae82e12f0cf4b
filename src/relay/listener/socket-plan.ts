import { prediction, type Protocol } from '../../api/port-conflicts.ts';
import { socketAddressText, type SocketAddress } from '../../config/address.ts';
import { portsOf } from '../../config/port-config.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';

/** What names a listening socket; while it stays the same the socket stays open. */
export type SocketSpec = {
  readonly protocol: Protocol;
  readonly listen: SocketAddress;
  /** IPV6_V6ONLY; false where the address is IPv4. */
  readonly ipv6Only: boolean;
  /** 0, or how many endpoints before ask for the very same socket. */
  readonly copy: number;
};

/** A listening socket that an endpoint needs. */
export type WantedSocket = SocketSpec & { readonly endpoint: string };

/** How the running sockets become the wanted ones; each list in the order of the configuration. */
export type SocketPlan = {
  /** Run already. */
  readonly keep: readonly WantedSocket[];
  /** New, and fit beside every running one. */
  readonly bind: readonly WantedSocket[];
  /** New, and need the place of one that goes. */
  readonly rebind: readonly WantedSocket[];
  /** New, and in conflict with another wanted one, which wins: one that is kept, or one listed before. */
  readonly contested: readonly WantedSocket[];
  /** Go, and are in the way of `rebind`. */
  readonly closeFirst: readonly SocketSpec[];
  /** Go. */
  readonly close: readonly SocketSpec[];
};

/** Every listening socket that `endpoints` ask for, in their order. */
export function wantedSockets(endpoints: readonly EndpointConfig[]): WantedSocket[] {
  const copies = new Map<string, number>();
  return endpoints.flatMap((endpoint) =>
    endpointSockets(endpoint).map((base) => {
      const copy = copies.get(socketKey(base)) ?? 0;
      copies.set(socketKey(base), copy + 1);
      return { ...base, copy, endpoint: endpoint.name };
    }),
  );
}

/** Port by port, TCP first. */
function endpointSockets(endpoint: EndpointConfig): SocketSpec[] {
  const { network } = endpoint;
  return portsOf(endpoint).flatMap(({ listen }) => {
    const ipv6Only = network.ipv6Only && listen.ip?.family !== 'IPv4';
    return protocols(network).map((protocol) => ({ protocol, listen, ipv6Only, copy: 0 }));
  });
}

function protocols({ tcp, udp }: EndpointConfig['network']): Protocol[] {
  return [...(tcp ? (['TCP'] as const) : []), ...(udp ? (['UDP'] as const) : [])];
}

/** Equal for equal sockets, however their addresses were spelt. */
export function socketKey({ protocol, listen, ipv6Only, copy }: SocketSpec): string {
  return `${protocol} ${socketAddressText(listen)}${ipv6Only ? ' ipv6Only' : ''} ${String(copy)}`;
}

/** Decides what becomes of every socket; the kernel has the last word on what can be bound. */
export function socketPlan(running: readonly SocketSpec[], wanted: readonly WantedSocket[]): SocketPlan {
  const [runningKeys, wantedKeys] = [new Set(running.map(socketKey)), new Set(wanted.map(socketKey))];
  const keep = wanted.filter((socket) => runningKeys.has(socketKey(socket)));
  const going = running.filter((socket) => !wantedKeys.has(socketKey(socket)));
  const winners: WantedSocket[] = [...keep];
  const contested: WantedSocket[] = [];
  const fresh: WantedSocket[] = [];
  for (const socket of wanted) {
    if (runningKeys.has(socketKey(socket))) continue;
    const loses = winners.some((winner) => meet(winner, socket));
    (loses ? contested : fresh).push(socket);
    if (!loses) winners.push(socket);
  }
  const rebind = fresh.filter((socket) => going.some((old) => meet(old, socket)));
  const closeFirst = going.filter((old) => rebind.some((socket) => meet(old, socket)));
  const bind = fresh.filter((socket) => !rebind.includes(socket));
  return {
    keep,
    bind,
    rebind,
    contested,
    closeFirst,
    close: going.filter((old) => !closeFirst.includes(old)),
  };
}

/** Whether the kernel refuses the second of two; host names are not looked up here. */
function meet(first: SocketSpec, second: SocketSpec): boolean {
  if (first.protocol !== second.protocol || first.listen.port !== second.listen.port) return false;
  if (first.listen.port === 0 || first.listen.ip === undefined || second.listen.ip === undefined)
    return false;
  const [a, b] = [
    { address: first.listen.ip, ipv6Only: first.ipv6Only },
    { address: second.listen.ip, ipv6Only: second.ipv6Only },
  ];
  return prediction(a, b) === 'conflicts';
}
