import type { RelayConfig } from '../../config/relay-config.ts';
import type { RemoteId } from '../upstream/endpoint-remotes.ts';
import type { EndpointStats } from '../data-plane/data-plane.ts';
import type { ListenRequest, OpenListener } from '../listener/listener.ts';
import type { RecentError } from '../stats/recent-errors.ts';
import type { RemoteEvent, RemoteState } from '../upstream/remote.ts';

/** What a worker needs to begin. */
export type WorkerStart = {
  readonly log: RelayConfig['log'];
  /** How long connections of an endpoint that was removed may go on. */
  readonly retireMs: number;
};

/** Number of a listening socket, the same in every process. */
export type SocketId = number;

/** The calls that the parent makes to a worker: parameters and result of each. */
export type Calls = {
  readonly start: { readonly params: WorkerStart; readonly result: undefined };
  readonly plan: { readonly params: RelayConfig; readonly result: undefined };
  readonly discard: { readonly params: undefined; readonly result: undefined };
  readonly commit: {
    readonly params: { readonly config: RelayConfig; readonly serves: ReadonlyMap<SocketId, string> };
    /** By endpoint: places that it took for connections from before there was a limit. */
    readonly result: ReadonlyMap<string, number>;
  };
  /** With a bound handle where it is TCP. */
  readonly listen: {
    readonly params: Omit<ListenRequest, 'onLost'> & { readonly id: SocketId };
    readonly result: Pick<OpenListener, 'address' | 'port' | 'families'>;
  };
  readonly drain: { readonly params: SocketId; readonly result: undefined };
  readonly close: { readonly params: SocketId; readonly result: undefined };
  readonly refresh: { readonly params: undefined; readonly result: WorkerReport };
  readonly idle: { readonly params: undefined; readonly result: undefined };
  /** Answers how many were cut. */
  readonly cut: { readonly params: undefined; readonly result: number };
};

export type CallName = keyof Calls;

/** What a worker carries and has carried. */
export type WorkerReport = {
  readonly load: number;
  /** 1 while it has no file descriptors for another TCP client. */
  readonly descriptorsShort: number;
  /** What went wrong lately. */
  readonly errors: readonly RecentError[];
  readonly endpoints: readonly WorkerStats[];
};

/** An endpoint in a worker; its health is that of this worker's dials alone. */
export type WorkerStats = Omit<EndpointStats, 'config' | 'remoteNames' | 'transport'> &
  NonNullable<EndpointStats['transport']> & { readonly name: string };

/** Places of a connection limit that change hands. */
export type PermitCount = { readonly endpoint: string; readonly count: number };

/** What either side sends without a call; nothing is sent back. */
export type Note =
  | ({ readonly note: 'acquire' | 'release' | 'grant' | 'deny' } & PermitCount)
  | ({ readonly note: 'remoteEvent'; readonly event: RemoteEvent } & RemoteId)
  | {
      readonly note: 'remoteStates';
      readonly states: readonly (RemoteId & { readonly state: RemoteState })[];
    };

/** A call on its way; `seq` names it in its result. */
export type CallMessage = { readonly seq: number; readonly call: CallName; readonly params: unknown };

/** The result of the call `seq`, or the error that it ended with. */
export type AnswerMessage =
  | { readonly seq: number; readonly result: unknown }
  | { readonly seq: number; readonly error: { readonly message: string; readonly code: string } };

/** Everything that goes over a worker's channel. */
export type Message = CallMessage | AnswerMessage | Note;

/** The configuration for workers: their parent checks the health of remotes for all. */
export function withoutHealthChecks(config: RelayConfig): RelayConfig {
  return { ...config, endpoints: config.endpoints.map(({ healthCheck: _, ...endpoint }) => endpoint) };
}
