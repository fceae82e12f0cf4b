import type { EngineName } from '../../config/engine.ts';
import type { RelayConfig } from '../../config/relay-config.ts';
import type { RemoteId } from '../upstream/endpoint-remotes.ts';
import type { Protocol } from '../../api/port-conflicts.ts';
import type { IpFamily } from '../../lib/ip-address.ts';
import type { EndpointCounts } from '../data-plane/data-plane.ts';
import type { MemoryUse } from '../stats/memory-use.ts';
import type { SocketSpec } from '../listener/socket-plan.ts';
import type { TransportState } from '../transport/endpoint-transport.ts';
import type { KeptError } from '../stats/recent-errors.ts';
import type { RemoteHealth } from '../upstream/remote-health.ts';
import type { RemoteEvent, RemoteState } from '../upstream/remote.ts';

/** What a worker needs to start. */
export type WorkerStart = {
  readonly log: RelayConfig['log'];
  /** How long connections of a removed endpoint may go on. */
  readonly retireMs: number;
  /** What moves the bytes, as its parent has chosen. */
  readonly engine: EngineName;
  /** Number of workers, which share the memory. */
  readonly processes: number;
};

/** Number of a listening socket, the same in every process. */
export type SocketId = number;

/** A listening socket that a worker opens. */
export type ListenParams = {
  readonly id: SocketId;
  readonly spec: SocketSpec;
  /** The IP address to bind. */
  readonly address: string;
  /** Name of the endpoint, planned or running, that serves its clients. */
  readonly endpoint: string;
};

/** Where a listening socket is bound. */
export type BoundAddress = {
  readonly address: string;
  /** Never 0. */
  readonly port: number;
  /** The families of its clients, IPv4 first. */
  readonly families: readonly IpFamily[];
};

/** The calls that the parent makes to a worker: parameters and result of each. */
export type Calls = {
  readonly start: { readonly params: WorkerStart; readonly result: undefined };
  readonly plan: { readonly params: RelayConfig; readonly result: undefined };
  readonly discard: { readonly params: undefined; readonly result: undefined };
  readonly commit: {
    readonly params: { readonly config: RelayConfig; readonly serves: ReadonlyMap<SocketId, string> };
    /** By endpoint: permits that it took for connections older than the limit. */
    readonly result: ReadonlyMap<string, number>;
  };
  /** For TCP the call carries a bound handle. */
  readonly listen: { readonly params: ListenParams; readonly result: BoundAddress };
  readonly drain: { readonly params: SocketId; readonly result: undefined };
  readonly close: { readonly params: SocketId; readonly result: undefined };
  readonly refresh: { readonly params: undefined; readonly result: WorkerReport };
  readonly idle: { readonly params: undefined; readonly result: undefined };
  /** Returns how many were cut. */
  readonly cut: { readonly params: undefined; readonly result: number };
};

export type CallName = keyof Calls;

/** The state of a worker. */
export type WorkerReport = {
  /** Open connections and associations, and clients that wait. */
  readonly load: number;
  /** 1 while it has no file descriptors for another TCP client, else 0. */
  readonly descriptorsShort: number;
  /** Lines that it dropped from its log. */
  readonly logLinesDropped: number;
  readonly memory: MemoryUse;
  readonly errors: readonly KeptError[];
  readonly endpoints: readonly WorkerStats[];
};

/** An endpoint in a worker; its health is that of this worker's dials alone. */
export type WorkerStats = EndpointCounts &
  TransportState & {
    readonly name: string;
    readonly health: Readonly<Record<Protocol, readonly RemoteHealth[]>>;
  };

/** Permits of an endpoint's connection limit that are requested, granted, denied or released. */
export type PermitCount = { readonly endpoint: string; readonly count: number };

/** A message that has no result. */
export type Note =
  | ({ readonly note: 'acquire' | 'release' | 'grant' | 'deny' } & PermitCount)
  | { readonly note: 'reopenLog' }
  | ({ readonly note: 'remoteEvent'; readonly event: RemoteEvent } & RemoteId)
  | {
      readonly note: 'remoteStates';
      readonly states: readonly (RemoteId & { readonly state: RemoteState })[];
    };

/** A call; `seq` identifies it in its result. */
export type CallMessage = { readonly seq: number; readonly call: CallName; readonly params: unknown };

/** The result of the call `seq`, or its error. */
export type ResultMessage =
  | { readonly seq: number; readonly result: unknown }
  | { readonly seq: number; readonly error: { readonly message: string; readonly code: string } };

/** Every message between parent and worker. */
export type Message = CallMessage | ResultMessage | Note;

/** The configuration for workers: their parent checks the health of remotes for all of them. */
export function withoutHealthChecks(config: RelayConfig): RelayConfig {
  return { ...config, endpoints: config.endpoints.map(({ healthCheck: _, ...endpoint }) => endpoint) };
}
