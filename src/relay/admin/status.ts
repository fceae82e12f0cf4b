import type { Protocol } from '../../api/port-conflicts.ts';
import { socketAddressText } from '../../config/address.ts';
import { addressesText, portsOf } from '../../config/port-config.ts';
import type { EngineName } from '../../config/engine.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { transportText } from '../../config/transport.ts';
import type { IpFamily } from '../../lib/ip-address.ts';
import { present } from '../../lib/record.ts';
import { faultsText } from '../listener/bind-fault.ts';
import type { EndpointStats, HelloCounts, WorkersStatus } from '../data-plane/data-plane.ts';
import type { HistogramCounts } from '../stats/histogram.ts';
import type { MemoryUse } from '../stats/memory-use.ts';
import type { RecentError } from '../stats/recent-errors.ts';
import type { RemoteHealth } from '../upstream/remote-health.ts';
import type { ManagedListener } from '../listener/managed-listener.ts';
import type { Traffic } from '../stats/traffic.ts';

/** Everything that the relay runs, as `/status` reports it in JSON. */
export type RelayStatus = {
  /** When it was computed, in ISO 8601: a response may be a second old. */
  readonly asOf: string;
  /** Of the program. */
  readonly version: string;
  /** When the relay started, in ISO 8601. */
  readonly startedAt: string;
  /** The RealmRelay that it runs for, as namespace/name; '' if it runs for none, or for several. */
  readonly relay: string;
  /** The Pod that it runs in; '' outside a cluster. */
  readonly pod: string;
  /** What moves the bytes: `kernel` = system calls, `node` = the modules of Node.js. */
  readonly engine: EngineName;
  /** Names the running configuration: SHA-256 in hex of the file; '' without a file. */
  readonly configHash: string;
  /** Every endpoint that is `required` is ready, and the relay is not draining. */
  readonly ready: boolean;
  readonly draining: boolean;
  /** Why the newest configuration was rejected; '' if it runs. */
  readonly configProblem: string;
  /** 1 while there are no file descriptors for another TCP client, so that new ones wait in the kernel, else 0. */
  readonly descriptorsShort: number;
  /** How many files the process may have open, a TCP client takes two; null = the system reports no limit. */
  readonly openFilesLimit: number | null;
  /** Log lines that could not be written. */
  readonly logLinesDropped: number;
  /** What clients make the relay use of its memory budget. */
  readonly memory: MemoryUse;
  /** UDP datagrams, to clients and to remotes, that were lost since their socket had no room; always 0 with the engine `node`. */
  readonly datagramsLost: number;
  /** Absent if one thread serves. */
  readonly workers?: WorkersStatus;
  readonly endpoints: readonly EndpointStatus[];
  /** The latest first; each kind once, and a bounded number of kinds. */
  readonly recentErrors: readonly RecentError[];
};

/** The status of one endpoint. */
export type EndpointStatus = {
  readonly name: string;
  /** As bound, e.g. `[::]:443`; a range as configured, `[::]:8000-8255`. */
  readonly listen: string;
  /** The families of its clients, IPv4 first; [] while it is not bound to an address. */
  readonly families: readonly IpFamily[];
  readonly protocols: readonly Protocol[];
  /** All its sockets are bound, and its transports have the files they need. */
  readonly ready: boolean;
  /** Whether the relay is ready only if this endpoint is: false while all that it may lack are certificate files that are `optional`. */
  readonly required: boolean;
  /** Why it is not ready, and what to do. */
  readonly message: string;
  readonly sockets: readonly SocketStatus[];
  /** In the order of the configuration, each with all its ports. */
  readonly remotes: readonly string[];
  readonly balance: string;
  /** Towards clients and remotes in Realm's notation, e.g. `[ws][tls][plain]||[plain]`; '' if both are plain. */
  readonly transport: string;
  /** Why the newest certificate files are not used; '' if they are. The endpoint keeps using the previous ones. */
  readonly transportProblem: string;
  /** The health of the same remotes, by protocol; [] for one that is not relayed. */
  readonly health: Readonly<Record<Protocol, readonly RemoteHealth[]>>;
  readonly connections: Traffic;
  readonly associations: Traffic;
  /** 0 = no limit. */
  readonly limits: {
    /** TCP connections; `max_connections`. */
    readonly connections: number;
    /** Connections and associations of one client, each; `max_connections_per_client`. */
    readonly connectionsPerClient: number;
    /** TCP clients that wait; `max_waiting`. */
    readonly waiting: number;
  };
  /** TCP clients that wait, since the connection limit is reached. */
  readonly waiting: number;
  /** Clients refused by a limit: of connections, of waiting clients, or of file descriptors. */
  readonly refused: { readonly connections: number; readonly associations: number };
  /** TCP clients, and datagrams of UDP clients, refused since `allowed_sources` does not list them. */
  readonly notAllowed: { readonly connections: number; readonly associations: number };
  /** TCP clients, and datagrams of UDP clients, refused since the client has reached `max_connections_per_client`. */
  readonly tooManyOfClient: { readonly connections: number; readonly associations: number };
  /** TCP clients, and datagrams of UDP clients, refused since a remote leads back to the relay. */
  readonly looped: { readonly connections: number; readonly associations: number };
  /** TCP clients, and datagrams of UDP clients, refused since a backend with `refuse` has that share of them. */
  readonly backendRefused: { readonly connections: number; readonly associations: number };
  /** TCP clients that closed the connection without sending anything, as load balancers check; they are no failures. */
  readonly probes: number;
  /**
   * Of an endpoint with `sni`: its names, and the TLS clients of its port that no endpoint serves; of a port that several share,
   * the first has them.
   */
  readonly sni?: { readonly hosts: readonly string[]; readonly refused: HelloCounts };
  /** Associations ended to make room for another client. */
  readonly evicted: number;
  /** How long TCP clients waited for a remote, and how long their connections lasted, as `/metrics` explains. */
  readonly dialTime: HistogramCounts;
  readonly connectionTime: HistogramCounts;
};

/** One listening socket, or consecutive ports of a range with equal status. */
export type SocketStatus = {
  readonly protocol: Protocol;
  /** `[::]:443`, or `[::]:8000-8255`. */
  readonly address: string;
  readonly bound: boolean;
  /** Why it is not bound, for machines, e.g. `AddressInUse`; '' if it is. */
  readonly reason: string;
};

/** The status of `endpoint`, whose listening sockets are `sockets`. */
export function endpointStatus(endpoint: EndpointStats, sockets: readonly ManagedListener[]): EndpointStatus {
  const { name, balance, listenTransport, remoteTransport, sni } = endpoint.config;
  const { problem = '', isUsable = true, isOptional = false } = endpoint.transport ?? {};
  const faults = sockets.flatMap(({ fault }) => fault ?? []);
  const isBound = sockets.every((socket) => socket.isBound);
  return {
    name,
    listen: listenText(endpoint.config, sockets),
    families: families.filter((family) => sockets.some((socket) => socket.families.includes(family))),
    protocols: protocols.filter((protocol) => sockets.some(({ spec }) => spec.protocol === protocol)),
    ready: isUsable && isBound,
    required: !isOptional || !isBound,
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
    limits: limitsOf(endpoint.config),
    waiting: endpoint.waiting,
    refused: endpoint.refused,
    notAllowed: endpoint.notAllowed,
    tooManyOfClient: endpoint.tooManyOfClient,
    looped: endpoint.looped,
    backendRefused: endpoint.backendRefused,
    probes: endpoint.probes,
    ...present('sni', sni && { hosts: sni.hosts, refused: endpoint.hellos }),
    evicted: endpoint.evicted,
    dialTime: endpoint.dialTime,
    connectionTime: endpoint.connectionTime,
  };
}

function limitsOf({ network }: EndpointConfig): EndpointStatus['limits'] {
  const { maxConnections, maxConnectionsPerClient, maxWaiting } = network;
  return { connections: maxConnections, connectionsPerClient: maxConnectionsPerClient, waiting: maxWaiting };
}

const families = ['IPv4', 'IPv6'] as const;
const protocols = ['TCP', 'UDP'] as const;

function listenText(config: EndpointConfig, sockets: readonly ManagedListener[]): string {
  if (config.range !== undefined) return addressesText(portsOf(config).map(({ listen }) => listen));
  return sockets[0]?.address ?? socketAddressText(config.listen);
}

/** @param sockets  of one protocol, in the order of their ports. */
function socketStatuses(sockets: readonly ManagedListener[]): SocketStatus[] {
  const rows: ManagedListener[][] = [];
  for (const socket of sockets) {
    const row = rows.at(-1);
    const last = row?.at(-1);
    if (last !== undefined && continues(last, socket)) row?.push(socket);
    else rows.push([socket]);
  }
  return rows.flatMap((row) => {
    const [first] = row;
    return first === undefined ? [] : socketStatus(first, row);
  });
}

function continues(before: ManagedListener, socket: ManagedListener): boolean {
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
