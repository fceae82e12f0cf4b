import type { RelayConfig } from '../../config/relay-config.ts';
import type { RemoteId } from '../upstream/endpoint-remotes.ts';
import type { EndpointAccount } from '../data-plane/data-plane.ts';
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

/** What a worker is asked to do by the parent, and what it answers. */
export type Calls = {
  readonly start: { readonly asked: WorkerStart; readonly answer: undefined };
  readonly plan: { readonly asked: RelayConfig; readonly answer: undefined };
  readonly discard: { readonly asked: undefined; readonly answer: undefined };
  readonly commit: {
    readonly asked: { readonly config: RelayConfig; readonly serves: ReadonlyMap<SocketId, string> };
    /** By endpoint: places that it took for connections from before there was a limit. */
    readonly answer: ReadonlyMap<string, number>;
  };
  /** With a bound handle where it is TCP. */
  readonly listen: {
    readonly asked: Omit<ListenRequest, 'onLost'> & { readonly id: SocketId };
    readonly answer: Pick<OpenListener, 'address' | 'port' | 'families'>;
  };
  readonly drain: { readonly asked: SocketId; readonly answer: undefined };
  readonly close: { readonly asked: SocketId; readonly answer: undefined };
  readonly survey: { readonly asked: undefined; readonly answer: WorkerReport };
  readonly idle: { readonly asked: undefined; readonly answer: undefined };
  /** Answers how many were cut. */
  readonly cut: { readonly asked: undefined; readonly answer: number };
};

export type CallName = keyof Calls;

/** What a worker carries and has carried. */
export type WorkerReport = {
  readonly load: number;
  /** 1 while it has no file descriptors for another TCP client. */
  readonly descriptorsShort: number;
  /** What went wrong lately. */
  readonly errors: readonly RecentError[];
  readonly accounts: readonly WorkerAccount[];
};

/** An endpoint in a worker; its health is that of this worker's dials alone. */
export type WorkerAccount = Omit<EndpointAccount, 'config' | 'remoteNames' | 'transport'> &
  NonNullable<EndpointAccount['transport']> & { readonly name: string };

/** Places of a connection limit that change hands. */
export type Places = { readonly endpoint: string; readonly count: number };

/** What either side tells the other unasked; nobody answers. */
export type Note =
  | ({ readonly note: 'ask' | 'giveBack' | 'grant' | 'dismiss' } & Places)
  | ({ readonly note: 'remoteEvent'; readonly event: RemoteEvent } & RemoteId)
  | {
      readonly note: 'remoteStates';
      readonly states: readonly (RemoteId & { readonly state: RemoteState })[];
    };

/** A call on its way; `seq` names it in its answer. */
export type CallMessage = { readonly seq: number; readonly call: CallName; readonly asked: unknown };

/** The answer to the call `seq`, or the error that it ended with. */
export type AnswerMessage =
  | { readonly seq: number; readonly answer: unknown }
  | { readonly seq: number; readonly error: { readonly message: string; readonly code: string } };

/** Everything that goes over a worker's channel. */
export type Message = CallMessage | AnswerMessage | Note;

/** The configuration for workers: their parent checks the health of remotes for all. */
export function withoutHealthChecks(config: RelayConfig): RelayConfig {
  return { ...config, endpoints: config.endpoints.map(({ healthCheck: _, ...endpoint }) => endpoint) };
}
