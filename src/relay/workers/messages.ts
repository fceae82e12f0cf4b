import type { MessagePort } from 'node:worker_threads';
import type { SocketAddress } from '../../config/address.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Address } from '../net/channel.ts';
import type { Failure } from '../stats/recent-errors.ts';
import type { Side } from '../stats/side.ts';
import type { ErrorRecord } from './error-record.ts';
import type { SharedMemory } from './shared-memory.ts';
import type { CarriedMemory, UdpOrder, UdpReport } from './udp-messages.ts';

/** What a worker needs to start. */
export type WorkerStart = {
  readonly port: MessagePort;
  readonly memory: SharedMemory;
  /** Where it records its open descriptors. */
  readonly openDescriptors: Uint8Array;
  /** What it shares with the main thread about flows of UDP. */
  readonly carried: CarriedMemory;
  /** When the monotonic clock of the main thread was 0: see `clockBegan`. */
  readonly clockBeganMs: number;
  /** Its number among the threads that share memory; 0 is the main thread. */
  readonly thread: number;
  /** How many threads serve. */
  readonly threads: number;
  /** How much memory clients may make the process use. */
  readonly memoryBytes: number;
};

/** When the monotonic clock of this thread was 0, by that of the system, in milliseconds. */
export function clockBegan(clock: Clock): number {
  return Number(process.hrtime.bigint()) / 1e6 - clock.monotonicMs();
}

/** Number of a connection, for one worker. */
export type ConnectionId = number;

/** A remote, as a worker dials it. */
export type RemoteInfo = SocketAddress & { readonly text: string };

/** What turns a client away. */
export type Refusal = 'source' | 'client' | 'backend';

/** What the main thread tells a worker. */
export type Order =
  /** How connections of an endpoint are served from now on; its remotes have new numbers, from 0. */
  | { readonly kind: 'configure'; readonly config: EndpointConfig }
  | { readonly kind: 'remote'; readonly endpoint: string; readonly remote: RemoteInfo }
  | { readonly kind: 'forget'; readonly endpoint: string }
  /** Serve the client whose descriptor is `fd`. */
  | {
      readonly kind: 'serve';
      readonly id: ConnectionId;
      readonly fd: number;
      readonly client: Address;
      readonly endpoint: string;
      readonly port: number;
      /** Numbers of the first remotes to try; undefined: to be asked for. */
      readonly remotes: readonly number[] | undefined;
      /** What was read of the client before. */
      readonly received: Uint8Array | undefined;
    }
  /** The answer to `order`: the numbers of the next remotes to try; none = there is no further one. */
  | {
      readonly kind: 'ordered';
      readonly id: ConnectionId;
      readonly endpoint: string;
      readonly remotes: readonly number[];
    }
  /** The answer to `admit`. */
  | { readonly kind: 'admitted'; readonly id: ConnectionId; readonly refusal: Refusal | undefined }
  | { readonly kind: 'cut'; readonly id: ConnectionId }
  /** The answer to `look up`. */
  | { readonly kind: 'found'; readonly seq: number; readonly addresses: readonly string[] }
  | { readonly kind: 'not found'; readonly seq: number; readonly error: ErrorRecord }
  /** Answer by a `report`. */
  | { readonly kind: 'report'; readonly seq: number }
  | { readonly kind: 'udp'; readonly order: UdpOrder };

/** How a dial of a remote goes on. */
export type DialEvent = 'acquire' | 'release' | 'succeed' | 'fail' | 'overtaken';

/** What a worker tells the main thread. */
export type Report =
  | { readonly kind: 'ready' }
  /** The client that a PROXY header names: may it be served? */
  | { readonly kind: 'admit'; readonly id: ConnectionId; readonly address: string }
  /** Which remotes are to be tried next? */
  | { readonly kind: 'order'; readonly id: ConnectionId; readonly clientIp: string }
  /** The dial of the remote at `index` of its order. */
  | {
      readonly kind: 'dial';
      readonly id: ConnectionId;
      readonly index: number;
      readonly event: DialEvent;
      readonly error?: ErrorRecord;
    }
  /** A remote is connected; `waitedMs` since the dial began. */
  | { readonly kind: 'dialled'; readonly id: ConnectionId; readonly waitedMs: number }
  /** The descriptor `fd` is about to connect to a port that the relay listens on. */
  | { readonly kind: 'opened'; readonly id: ConnectionId; readonly fd: number; readonly remote: Address }
  | {
      readonly kind: 'settled';
      readonly id: ConnectionId;
      readonly failure: Side | 'probe' | undefined;
      readonly fromClientBytes: number;
      readonly fromUpstreamBytes: number;
      readonly durationMs: number;
    }
  | { readonly kind: 'look up'; readonly seq: number; readonly host: string }
  | {
      readonly kind: 'log';
      readonly level: 'debug' | 'info' | 'warn';
      readonly fields: object;
      readonly message: string;
    }
  | {
      readonly kind: 'failure';
      readonly failure: Omit<Failure, 'error'>;
      readonly error: ErrorRecord;
    }
  /** Descriptors for another client were freed. */
  | { readonly kind: 'descriptors' }
  /** Memory became short, or is no longer. */
  | { readonly kind: 'memory' }
  | { readonly kind: 'udp'; readonly report: UdpReport }
  /** By open connection: number, bytes from the client, bytes from the upstream. */
  | { readonly kind: 'report'; readonly seq: number; readonly bytes: Float64Array };
