/**
 * The data plane: what serves the clients of the listening sockets.
 *
 * A data plane runs *endpoints*; each of them brings the clients of its sockets to its remotes. A *listener* belongs to
 * one endpoint at a time. A configuration is *planned* first, so that sockets can be opened for its new endpoints, and
 * then either *committed* or *discarded*. `LocalDataPlane` does all this in one thread, which may hand admitted TCP
 * clients to others (`ServingThreads`).
 *
 * Guarantee: until a commit every client is served by the previous configuration, and a commit cannot fail. An
 * endpoint that stays keeps its connections, its counts and what it knows of its remotes.
 */
import type { Protocol } from '../../api/port-conflicts.ts';
import type { EngineName } from '../../config/engine.ts';
import type { EndpointConfig, RelayConfig } from '../../config/relay-config.ts';
import type { MemoryUse } from '../stats/memory-use.ts';
import type { ListenRequest, OpenListener } from '../listener/listener.ts';
import type { ServedEndpoints } from '../listener/socket-plan.ts';
import type { HistogramCounts } from '../stats/histogram.ts';
import type { Traffic } from '../stats/traffic.ts';
import type { TransportState } from '../transport/endpoint-transport.ts';
import type { RemoteHealth } from '../upstream/remote-health.ts';

/** Clients by protocol: TCP connections, and UDP associations or the datagrams that wanted one. */
export type ClientCounts = { readonly connections: number; readonly associations: number };

/** TLS clients that no endpoint served, by reason. */
export type HelloCounts = {
  /** No endpoint serves the name. */
  readonly unknownName: number;
  /** They sent no ClientHello, but something else. */
  readonly invalid: number;
  /** They took too long. */
  readonly late: number;
};

/** What is counted of an endpoint, since it was created. */
export type EndpointCounts = {
  readonly connections: Traffic;
  readonly associations: Traffic;
  /** TCP clients in the queue of the connection limit. */
  readonly waiting: number;
  /** Clients that were turned away for lack of room. */
  readonly refused: ClientCounts;
  /** Clients that were turned away because `allowed_sources` does not name them. */
  readonly notAllowed: ClientCounts;
  /** Clients that were turned away because they had reached `max_connections_per_client`. */
  readonly tooManyOfClient: ClientCounts;
  /** Clients that were turned away because they had come through the same listening port before. */
  readonly looped: ClientCounts;
  /** Clients that were turned away because their backend has `refuse`. */
  readonly backendRefused: ClientCounts;
  /** TCP clients that closed the connection without sending anything, as load balancers check; they are no failures. */
  readonly probes: number;
  /** TLS clients that were turned away before their name led to an endpoint; of a port that several share, the first has them. */
  readonly hellos: HelloCounts;
  /** Associations that were ended to make room for another client. */
  readonly evicted: number;
  /** How long TCP clients waited for a remote that was connected at last: buckets of `dialBounds`. */
  readonly dialTime: HistogramCounts;
  /** How long TCP connections lasted, those of probes excluded: buckets of `connectionBounds`. */
  readonly connectionTime: HistogramCounts;
};

/** A running endpoint at one moment. */
export type EndpointStats = EndpointCounts & {
  readonly config: EndpointConfig;
  /** Its remotes as configured, in order, each with all of its ports. */
  readonly remoteNames: readonly string[];
  /** The same remotes with their health; [] for a protocol that is not relayed. */
  readonly health: Readonly<Record<Protocol, readonly RemoteHealth[]>>;
  /** Undefined if both sides are plain TCP. */
  readonly transport: TransportState | undefined;
};

/** One thread that serves clients. */
export type WorkerStatus = {
  /** 0 for the main thread; a thread that replaces another one has a new number. */
  readonly thread: number;
  /** Open connections that it serves; for the main thread also associations, and clients that wait. */
  readonly load: number;
};

/** The threads that serve the clients of a relay, and how many had to be replaced. */
export type WorkersStatus = { readonly running: readonly WorkerStatus[]; readonly replaced: number };

/** Serves the clients of the listening sockets, by the configuration that was committed last. */
export type DataPlane = {
  /** @throws TransportFilesError if files are missing while another configuration runs; nothing is planned then. */
  readonly plan: (config: RelayConfig) => Promise<void>;
  /** Drops the plan. */
  readonly discard: () => Promise<void>;
  /** Runs what was planned. @param serves  the names of the endpoints that the open sockets belong to. */
  readonly commit: (config: RelayConfig, serves: ReadonlyMap<OpenListener, ServedEndpoints>) => Promise<void>;
  /** @throws the kernel's error, e.g. EADDRINUSE. */
  readonly listen: (socket: ListenRequest) => Promise<OpenListener>;
  /** Updates what workers report: `endpointStats` and `workers` are as of the last call. @returns the load. */
  readonly refresh: () => Promise<number>;
  /** Of the running endpoints, in the order of the configuration. */
  readonly endpointStats: readonly EndpointStats[];
  /** What moves the bytes. */
  readonly engine: EngineName;
  /** Whether there are too few file descriptors for another TCP client. */
  readonly descriptorsShort: boolean;
  readonly memory: MemoryUse;
  /** UDP datagrams that were lost since their socket had no room. */
  readonly datagramsLost: number;
  /** Undefined if one thread serves. */
  readonly workers: WorkersStatus | undefined;
  /** How many connections, associations and waiting clients were cut so far. */
  readonly cutCount: number;
  /** Resets every connection and ends every association. */
  readonly cut: () => void;
  /** Resolves when nothing is open. */
  readonly idle: () => Promise<void>;
  /** Ends it; to be called when nothing is open. */
  readonly close: () => Promise<void>;
};
