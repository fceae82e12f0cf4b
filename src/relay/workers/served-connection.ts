import type { Clock } from '../../lib/clock.ts';
import type { Connection, ConnectionContext, ConnectionRemote } from '../connection/connection.ts';
import type { Lookup } from '../dns/lookup.ts';
import { ClientLimitError } from '../limits/client-limit.ts';
import { SourceError } from '../limits/source-filter.ts';
import type { ConnectionMemory } from '../limits/taken-memory.ts';
import type { DescriptorAllowance, TcpStack } from '../net/channel.ts';
import { BackendRefusedError } from '../upstream/backends.ts';
import { errorRecord } from './error-record.ts';
import type { WorkerEndpoint } from './worker-endpoints.ts';
import type { ConnectionId, DialEvent, Refusal, RemoteInfo, Report } from './messages.ts';

/** What the connections of a worker have in common. */
export type WorkerContext = {
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly budget: DescriptorAllowance;
  readonly memory: ConnectionMemory;
  readonly tcp: TcpStack;
  readonly log: ConnectionContext['log'];
  readonly errors: ConnectionContext['errors'];
  readonly warn: ConnectionContext['warn'];
  readonly post: (report: Report) => void;
  /** The same, at once. */
  readonly postNow: (report: Report) => void;
  /** Whether the relay listens on a TCP port. */
  readonly isOwnPort: (port: number) => boolean;
  readonly onSettled: (served: ServedConnection) => void;
};

/** The main thread registers sockets: a loop concerns all threads. */
const noOwnSockets: ConnectionContext['ownSockets'] = { opened: () => undefined, closed: () => undefined };

/** A connection that a worker serves for the main thread, which decides where it goes and whether it may. */
export class ServedConnection implements ConnectionContext {
  readonly id: ConnectionId;
  readonly endpoint: WorkerEndpoint;
  /** Undefined until its endpoint is ready to serve it. */
  connection: Connection | undefined;
  /** Whether it is to be reset instead of being served. */
  isCut = false;
  readonly #worker: WorkerContext;
  /** The remotes to dial next, as far as the main thread has named them. */
  #targets: ConnectionRemote[] = [];
  /** How many remotes the main thread has named. */
  #named = 0;
  #onOrdered: ((next: ConnectionRemote | undefined) => void) | undefined;
  #onAdmitted: ((refusal: Refusal | undefined) => void) | undefined;

  constructor(id: ConnectionId, endpoint: WorkerEndpoint, worker: WorkerContext) {
    this.id = id;
    this.endpoint = endpoint;
    this.#worker = worker;
  }

  get clock(): Clock {
    return this.#worker.clock;
  }

  get lookup(): Lookup {
    return this.#worker.lookup;
  }

  get budget(): DescriptorAllowance {
    return this.#worker.budget;
  }

  get memory(): ConnectionMemory {
    return this.#worker.memory;
  }

  get log(): ConnectionContext['log'] {
    return this.#worker.log;
  }

  get errors(): ConnectionContext['errors'] {
    return this.#worker.errors;
  }

  get warn(): ConnectionContext['warn'] {
    return this.#worker.warn;
  }

  get ownSockets(): ConnectionContext['ownSockets'] {
    return noOwnSockets;
  }

  /** Announces connections to the relay's own ports, before the main thread can accept them. */
  get tcp(): Pick<TcpStack, 'connect'> {
    const { tcp, isOwnPort, postNow } = this.#worker;
    return {
      connect: (target, onConnected) => {
        if (!isOwnPort(target.port)) return tcp.connect(target, onConnected);
        const { address, port } = target;
        const onOpened = (fd: number): void => {
          postNow({ kind: 'opened', id: this.id, fd, remote: { address, port } });
        };
        return tcp.connect({ ...target, onOpened }, onConnected);
      },
    };
  }

  readonly order: ConnectionContext['order'] = (_, clientIp) => ({
    size: this.endpoint.config.remotes.length,
    next: () => this.#targets.shift() ?? this.#askForNext(clientIp),
  });

  readonly admitSource: ConnectionContext['admitSource'] = async (_, address) => {
    const { promise, resolve } = Promise.withResolvers<Refusal | undefined>();
    this.#onAdmitted = resolve;
    this.#worker.post({ kind: 'admit', id: this.id, address });
    const refusal = await promise;
    if (refusal === undefined) return undefined;
    if (refusal === 'backend') return new BackendRefusedError();
    return refusal === 'source' ? new SourceError() : new ClientLimitError();
  };

  readonly onDialled: ConnectionContext['onDialled'] = (waitedMs) => {
    this.#worker.post({ kind: 'dialled', id: this.id, waitedMs });
  };

  readonly onSettled: ConnectionContext['onSettled'] = ({ fromClient, fromUpstream }, ...end) => {
    const [failure, durationMs] = end;
    const bytes = { fromClientBytes: fromClient.bytes, fromUpstreamBytes: fromUpstream.bytes };
    this.#worker.post({ kind: 'settled', id: this.id, failure, ...bytes, durationMs });
    this.#worker.onSettled(this);
  };

  /** Reports the end of a connection that was never served. */
  reject(): void {
    const nothing = { fromClientBytes: 0, fromUpstreamBytes: 0, durationMs: 0 };
    this.#worker.post({ kind: 'settled', id: this.id, failure: 'relay', ...nothing });
    this.#worker.onSettled(this);
  }

  /** The main thread has named the next remotes to dial, if any. @param isAcquired  whether it counts the first dial already. */
  dials(remotes: readonly RemoteInfo[], isAcquired: boolean): void {
    this.#targets = remotes.map((remote, index) =>
      this.#target(remote, this.#named + index, isAcquired && index === 0),
    );
    this.#named += remotes.length;
    this.#onOrdered?.(this.#targets.shift());
    this.#onOrdered = undefined;
  }

  cut(): void {
    this.isCut = true;
    this.connection?.cut();
  }

  admitted(refusal: Refusal | undefined): void {
    this.#onAdmitted?.(refusal);
  }

  #askForNext(clientIp: string): Promise<ConnectionRemote | undefined> {
    const { promise, resolve } = Promise.withResolvers<ConnectionRemote | undefined>();
    this.#onOrdered = resolve;
    this.#worker.post({ kind: 'order', id: this.id, clientIp });
    return promise;
  }

  #target(remote: RemoteInfo, index: number, isAcquired: boolean): ConnectionRemote {
    const tell = (event: DialEvent, error?: Error): void => {
      const failed = error === undefined ? {} : { error: errorRecord(error) };
      this.#worker.post({ kind: 'dial', id: this.id, index, event, ...failed });
    };
    return {
      ...remote,
      acquire: () => {
        if (!isAcquired) tell('acquire');
      },
      release: () => {
        tell('release');
      },
      succeed: () => {
        tell('succeed');
      },
      fail: (error) => {
        tell('fail', error);
      },
      overtaken: () => {
        tell('overtaken');
      },
      transferred: () => undefined, // the main thread counts what the connection reports
    };
  }
}
