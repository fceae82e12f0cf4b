import type { Protocol } from '../api/port-conflicts.ts';
import { socketAddressText } from '../config/address.ts';
import type { IpFamily } from '../lib/ip-address.ts';
import type { EndpointAccount, WorkersStatus } from './crew.ts';
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
  /** Absent where the relay is one process. */
  readonly workers?: WorkersStatus;
  readonly endpoints: readonly EndpointStatus[];
};

/** One endpoint. */
export type EndpointStatus = {
  readonly name: string;
  /** As bound, e.g. `[::]:443`. */
  readonly listen: string;
  /** Whose clients it serves, IPv4 first; [] while it is not bound to an address. */
  readonly families: readonly IpFamily[];
  readonly protocols: readonly Protocol[];
  /** All its sockets are bound. */
  readonly ready: boolean;
  /** Why it is not ready, and what to do. */
  readonly message: string;
  readonly sockets: readonly SocketStatus[];
  /** In the order of the configuration. */
  readonly remotes: readonly string[];
  readonly balance: string;
  /** The same remotes with how they are, by protocol; [] for one that is not relayed. */
  readonly health: Readonly<Record<Protocol, readonly RemoteHealth[]>>;
  readonly connections: Traffic;
  readonly associations: Traffic;
  /** TCP clients that wait for a place. */
  readonly waiting: number;
  /** Clients that were turned away since there was no place for them. */
  readonly refused: { readonly connections: number; readonly associations: number };
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
export function endpointStatus(endpoint: EndpointAccount, sockets: readonly ListenSocket[]): EndpointStatus {
  const { name, listen, remotes, balance } = endpoint.config;
  const faults = new Set(sockets.flatMap(({ fault }) => fault?.message ?? []));
  return {
    name,
    listen: sockets[0]?.address ?? socketAddressText(listen),
    families: families.filter((family) => sockets.some((socket) => socket.families.includes(family))),
    protocols: sockets.map(({ spec }) => spec.protocol),
    ready: sockets.every(({ isBound }) => isBound),
    message: [...faults].join('; '),
    sockets: sockets.map(socketStatus),
    remotes: remotes.map(socketAddressText),
    balance: balance.strategy,
    health: endpoint.health,
    connections: endpoint.connections,
    associations: endpoint.associations,
    waiting: endpoint.waiting,
    refused: endpoint.refused,
  };
}

const families = ['IPv4', 'IPv6'] as const;

function socketStatus({ spec, address, isBound, fault }: ListenSocket): SocketStatus {
  return { protocol: spec.protocol, address, bound: isBound, reason: fault?.reason ?? '' };
}
