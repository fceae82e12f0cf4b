import type { Protocol } from '../api/port-conflicts.ts';
import { socketAddressText } from '../config/address.ts';
import { transportText } from '../config/transport.ts';
import type { IpFamily } from '../lib/ip-address.ts';
import type { Endpoint } from './endpoint.ts';
import type { RecentError } from './recent-errors.ts';
import type { RemoteHealth } from './remote.ts';
import type { ListenSocket } from './listen-socket.ts';
import type { Traffic } from './tally.ts';

/** What the relay runs, as `/status` tells it in JSON. */
export type RelayStatus = {
  /** What the running configuration was given as: SHA-256, in hex, of the file's text; '' where there is no file. */
  readonly configHash: string;
  /** Every endpoint is ready and nothing drains. */
  readonly ready: boolean;
  readonly draining: boolean;
  /** Why the newest configuration does not run; '' where it does. */
  readonly configProblem: string;
  readonly endpoints: readonly EndpointStatus[];
  /** What went wrong lately, the latest first; each kind once, and a bounded number of them. */
  readonly recentErrors: readonly RecentError[];
};

/** One endpoint. */
export type EndpointStatus = {
  readonly name: string;
  /** As bound, e.g. `[::]:443`. */
  readonly listen: string;
  /** Whose clients it serves, IPv4 first; [] while it is not bound to an address. */
  readonly families: readonly IpFamily[];
  readonly protocols: readonly Protocol[];
  /** All its sockets are bound, and what its transports need is there. */
  readonly ready: boolean;
  /** Why it is not ready, and what to do. */
  readonly message: string;
  readonly sockets: readonly SocketStatus[];
  /** In the order of the configuration. */
  readonly remotes: readonly string[];
  readonly balance: string;
  /** Towards clients and remotes in Realm's words, e.g. `[ws][tls][plain]||[plain]`; '' where both are plain. */
  readonly transport: string;
  /** Why the newest certificate files are not used; '' where they are. The endpoint goes on with those before. */
  readonly transportProblem: string;
  /** The same remotes with how they are, by protocol; [] for one that is not relayed. */
  readonly health: Readonly<Record<Protocol, readonly RemoteHealth[]>>;
  readonly connections: Traffic;
  readonly associations: Traffic;
  /** TCP clients that wait for a place. */
  readonly waiting: number;
  /** Clients that were turned away since there was no place for them. */
  readonly refused: { readonly connections: number; readonly associations: number };
  /** Associations that made room for another client. */
  readonly evicted: number;
};

/** One listening socket. */
export type SocketStatus = {
  readonly protocol: Protocol;
  readonly address: string;
  readonly bound: boolean;
  /** Why not, for machines, e.g. `AddressInUse`; '' where it is bound. */
  readonly reason: string;
};

/** The status of `endpoint`, whose listening sockets are `sockets`. */
export function endpointStatus(endpoint: Endpoint, sockets: readonly ListenSocket[]): EndpointStatus {
  const { name, listen, remotes, balance, listenTransport, remoteTransport } = endpoint.config;
  const { problem = '', isUsable = true } = endpoint.transport ?? {};
  const faults = new Set(sockets.flatMap(({ fault }) => fault?.message ?? []));
  if (!isUsable) faults.add(problem);
  return {
    name,
    listen: sockets[0]?.address ?? socketAddressText(listen),
    families: families.filter((family) => sockets.some((socket) => socket.families.includes(family))),
    protocols: sockets.map(({ spec }) => spec.protocol),
    ready: isUsable && sockets.every(({ isBound }) => isBound),
    message: [...faults].join('; '),
    sockets: sockets.map(socketStatus),
    remotes: remotes.map(socketAddressText),
    balance: balance.strategy,
    transport: transportText(listenTransport, remoteTransport),
    transportProblem: problem,
    health: endpoint.health,
    connections: endpoint.connections,
    associations: endpoint.associations,
    waiting: endpoint.waiting,
    refused: endpoint.refused,
    evicted: endpoint.evicted,
  };
}

const families = ['IPv4', 'IPv6'] as const;

function socketStatus({ spec, address, isBound, fault }: ListenSocket): SocketStatus {
  return { protocol: spec.protocol, address, bound: isBound, reason: fault?.reason ?? '' };
}
