import type { Protocol } from '../../api/port-conflicts.ts';
import { socketAddressText } from '../../config/address.ts';
import { addressesText, portsOf } from '../../config/port-config.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { transportText } from '../../config/transport.ts';
import type { IpFamily } from '../../lib/ip-address.ts';
import { faultsText } from '../listener/bind-fault.ts';
import type { EndpointStats, WorkersStatus } from '../data-plane/data-plane.ts';
import type { RecentError } from '../stats/recent-errors.ts';
import type { RemoteHealth } from '../upstream/remote.ts';
import type { ManagedListener } from '../listener/managed-listener.ts';
import type { Traffic } from '../stats/traffic.ts';

/** What the relay runs, as `/status` tells it in JSON. */
export type RelayStatus = {
  /** What the running configuration was given as: SHA-256, in hex, of the file's text; '' where there is no file. */
  readonly configHash: string;
  /** Every endpoint is ready and nothing drains. */
  readonly ready: boolean;
  readonly draining: boolean;
  /** Why the newest configuration does not run; '' where it does. */
  readonly configProblem: string;
  /** Processes of the relay without file descriptors for another TCP client: new ones wait in the kernel. */
  readonly descriptorsShort: number;
  /** Absent where the relay is one process. */
  readonly workers?: WorkersStatus;
  readonly endpoints: readonly EndpointStatus[];
  /** What went wrong lately, the latest first; each kind once, and a bounded number of them. */
  readonly recentErrors: readonly RecentError[];
};

/** One endpoint. */
export type EndpointStatus = {
  readonly name: string;
  /** As bound, e.g. `[::]:443`; a range as configured, `[::]:8000-8255`. */
  readonly listen: string;
  /** Whose clients it serves, IPv4 first; [] while it is not bound to an address. */
  readonly families: readonly IpFamily[];
  readonly protocols: readonly Protocol[];
  /** All its sockets are bound, and what its transports need is there. */
  readonly ready: boolean;
  /** Why it is not ready, and what to do. */
  readonly message: string;
  readonly sockets: readonly SocketStatus[];
  /** In the order of the configuration, each with all of its ports. */
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
  /** TCP clients, and datagrams of UDP clients, that were turned away since `allowed_sources` does not name them. */
  readonly notAllowed: { readonly connections: number; readonly associations: number };
  /** Associations that made room for another client. */
  readonly evicted: number;
};

/** One listening socket, or those of a range that stand in a row and are alike. */
export type SocketStatus = {
  readonly protocol: Protocol;
  /** `[::]:443`, or `[::]:8000-8255`. */
  readonly address: string;
  readonly bound: boolean;
  /** Why not, for machines, e.g. `AddressInUse`; '' where it is bound. */
  readonly reason: string;
};

/** The status of `endpoint`, whose listening sockets are `sockets`. */
export function endpointStatus(endpoint: EndpointStats, sockets: readonly ManagedListener[]): EndpointStatus {
  const { name, balance, listenTransport, remoteTransport } = endpoint.config;
  const { problem = '', isUsable = true } = endpoint.transport ?? {};
  const faults = sockets.flatMap(({ fault }) => fault ?? []);
  return {
    name,
    listen: listenText(endpoint.config, sockets),
    families: families.filter((family) => sockets.some((socket) => socket.families.includes(family))),
    protocols: protocols.filter((protocol) => sockets.some(({ spec }) => spec.protocol === protocol)),
    ready: isUsable && sockets.every(({ isBound }) => isBound),
    message: [...(isUsable ? [] : [problem]), faultsText(faults)].filter(Boolean).join('; '),
    sockets: protocols.flatMap((protocol) =>
      socketStatuses(sockets.filter(({ spec }) => spec.protocol === protocol)),
    ),
    remotes: endpoint.remoteNames,
    balance: balance.strategy,
    transport: transportText(listenTransport, remoteTransport),
    transportProblem: problem,
    health: endpoint.health,
    connections: endpoint.connections,
    associations: endpoint.associations,
    waiting: endpoint.waiting,
    refused: endpoint.refused,
    notAllowed: endpoint.notAllowed,
    evicted: endpoint.evicted,
  };
}

const families = ['IPv4', 'IPv6'] as const;
const protocols = ['TCP', 'UDP'] as const;

function listenText(config: EndpointConfig, sockets: readonly ManagedListener[]): string {
  if (config.range !== undefined) return addressesText(portsOf(config).map(({ listen }) => listen));
  return sockets[0]?.address ?? socketAddressText(config.listen);
}

/** Of one protocol, in the order of their ports. */
function socketStatuses(sockets: readonly ManagedListener[]): SocketStatus[] {
  const rows: ManagedListener[][] = [];
  for (const socket of sockets) {
    const row = rows.at(-1);
    const last = row?.at(-1);
    if (last !== undefined && follows(last, socket)) row?.push(socket);
    else rows.push([socket]);
  }
  return rows.flatMap((row) => {
    const [first] = row;
    return first === undefined ? [] : socketStatus(first, row);
  });
}

function follows(before: ManagedListener, socket: ManagedListener): boolean {
  return (
    socket.spec.listen.port === before.spec.listen.port + 1 &&
    socket.isBound === before.isBound &&
    socket.fault?.reason === before.fault?.reason
  );
}

function socketStatus(
  { spec, address, isBound, fault }: ManagedListener,
  row: readonly ManagedListener[],
): SocketStatus {
  const text = row.length === 1 ? address : addressesText(row.map((socket) => socket.spec.listen));
  return { protocol: spec.protocol, address: text, bound: isBound, reason: fault?.reason ?? '' };
}
