import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Connection, DecidingContext } from '../connection/connection.ts';
import type { Lookup } from '../dns/lookup.ts';
import type { Count } from '../limits/count.ts';
import type { MemoryCells } from '../limits/taken-memory.ts';
import type { Accepted } from '../net/channel.ts';
import type { UdpThread } from '../net/udp-threads.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import type { WorkersStatus } from './data-plane.ts';

/** What other threads use and change of this one. */
export type MainThread = {
  readonly lookup: Lookup;
  readonly errors: RecentErrors;
  /** They used or freed descriptors. */
  readonly descriptorsChanged: () => void;
  /** They made memory short, or ended that. */
  readonly memoryChanged: () => void;
  /** One of them has ended, and what it had taken was given back. */
  readonly givenBack: () => void;
};

/** Other threads of this process, which serve TCP connections that this thread has accepted and admitted, and carry UDP. */
export type ServingThreads = {
  /** How many threads serve, this one included. */
  readonly count: number;
  /** The same threads, as UDP uses them. */
  readonly udp: readonly UdpThread[];
  /** The descriptors that all threads use. */
  readonly descriptors: Count;
  /** The memory that all threads take. */
  readonly memory: MemoryCells;
  /** Descriptors that the threads themselves use. */
  readonly ownDescriptors: number;
  /** To be called once, before anything else. */
  readonly share: (main: MainThread) => void;
  /** How many descriptors clients may use together; to be called whenever that changes. */
  readonly limitDescriptors: (total: number) => void;
  /** The relay listens on the TCP port `port`, or no longer: one of several listeners of that port at a time. */
  readonly listens: (port: number, isListening: boolean) => void;
  /**
   * Has a thread that serves fewer connections than this one serve a client. The parameters are those of `serveTcp`.
   *
   * @returns undefined if there is none: the client is to be served here.
   */
  readonly serve: (
    accepted: Accepted,
    port: number,
    config: EndpointConfig,
    context: DecidingContext,
  ) => Connection | undefined;
  /** A connection that `serve` was asked for has ended, wherever it was served. */
  readonly settled: (connection: Connection) => void;
  /** Serves connections of `endpoints` as they are now, and forgets the others. */
  readonly configure: (endpoints: readonly EndpointConfig[]) => void;
  /** Processes what the threads have reported so far, at once. */
  readonly sync: () => void;
  /** Has the threads report how many bytes their connections have carried. */
  readonly refresh: () => Promise<void>;
  /** @param ownLoad  the load of this thread. */
  readonly status: (ownLoad: number) => WorkersStatus;
  /** How many connections the other threads serve, and how many clients of UDP send to them. */
  readonly load: number;
  /** Ends the threads; to be called when nothing is open. */
  readonly close: () => Promise<void>;
};
