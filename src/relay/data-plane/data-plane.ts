import type { RelayConfig } from '../../config/relay-config.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointTransport } from '../transport/endpoint-transport.ts';
import type { ListenRequest, OpenListener } from '../listener/listener.ts';
import type { RecentError } from '../stats/recent-errors.ts';

/** What is known of a running endpoint. */
export type EndpointStats = Pick<
  Endpoint,
  | 'config'
  | 'remoteNames'
  | 'health'
  | 'connections'
  | 'associations'
  | 'waiting'
  | 'refused'
  | 'notAllowed'
  | 'evicted'
> & {
  /** What is known of its transports; undefined where both sides are plain TCP. */
  readonly transport: Pick<EndpointTransport, 'problem' | 'isUsable'> | undefined;
};

/** One worker process. */
export type WorkerStatus = {
  readonly pid: number;
  /** Its load: open connections and associations, and clients that wait. */
  readonly load: number;
};

/** The worker processes of a relay, and how many had to be replaced. */
export type WorkersStatus = { readonly running: readonly WorkerStatus[]; readonly replaced: number };

/**
 * Who serves the clients of the listening sockets: this process by itself (`LocalDataPlane`), or worker processes
 * (`WorkerPool`). A configuration is planned first, so that sockets can be opened for what is new in it, and
 * then either committed or discarded.
 */
export type DataPlane = {
  /** @throws TransportFilesError where what runs is better, since files are missing; nothing is planned then. */
  readonly plan: (config: RelayConfig) => Promise<void>;
  /** Drops what was planned and does not run. */
  readonly discard: () => Promise<void>;
  /** Runs what was planned. @param serves  the endpoints of the sockets that are open already. */
  readonly commit: (config: RelayConfig, serves: ReadonlyMap<OpenListener, string>) => Promise<void>;
  /** @throws the kernel's error, e.g. EADDRINUSE. */
  readonly listen: (socket: ListenRequest) => Promise<OpenListener>;
  /** Finds out how everything is now: `accounts` and `workers` are of the last time. @returns the load. */
  readonly refresh: () => Promise<number>;
  /** Of the endpoints that run, in the order of the configuration. */
  readonly endpointStats: readonly EndpointStats[];
  /** What went wrong lately in other processes than this. */
  readonly workerErrors: readonly RecentError[];
  /** How many processes have no file descriptors for another TCP client. */
  readonly descriptorsShort: number;
  /** Absent where there are none. */
  readonly workers?: WorkersStatus;
  /** How many connections, associations and waiting clients were cut so far. */
  readonly cutCount: number;
  /** Resets every connection and ends every association. */
  readonly cut: () => void;
  /** Resolves when nothing is open. */
  readonly idle: () => Promise<void>;
  /** Ends it; to be called when nothing is open. */
  readonly close: () => Promise<void>;
};
