import type { RelayConfig } from '../../config/relay-config.ts';
import { EndpointRemotes, type EndpointRemotesContext, type RemoteId } from '../upstream/endpoint-remotes.ts';
import type { WorkerPoolOptions } from './worker-pool-options.ts';
import type { RemoteHealth } from '../upstream/remote-health.ts';
import type { RemoteEvent } from '../upstream/remote.ts';
import type { Note } from './messages.ts';

/** The health of remotes, for all workers: the parent runs the checks, and workers report their dials. */
export class SharedHealth {
  readonly #context: EndpointRemotesContext;
  readonly #broadcast: (note: Note) => void;
  #remotes = new Map<string, EndpointRemotes>();

  /** @param broadcast  sends a note to every worker. */
  constructor(
    { log, errors, clock, random, lookup, engine, budget }: WorkerPoolOptions,
    broadcast: (note: Note) => void,
  ) {
    this.#broadcast = broadcast;
    this.#context = {
      log,
      errors,
      clock,
      random,
      lookup,
      tcp: engine.tcp,
      udp: engine.udp,
      budget,
      onRemoteEvent: (remote) => {
        this.#share(remote);
      },
    };
  }

  /** Checks the remotes of `endpoints` from now on, in place of the previous ones. */
  configure({ endpoints }: RelayConfig): void {
    const before = this.#remotes;
    this.#remotes = new Map(
      endpoints.map((config) => {
        const known = before.get(config.name);
        known?.configure(config);
        return [config.name, known ?? new EndpointRemotes(config, this.#context)];
      }),
    );
    for (const [name, remotes] of before) if (!this.#remotes.has(name)) remotes.stop();
    this.#broadcast(this.states);
  }

  /** Applies what happened to a remote in a worker, and shares it with the others. */
  receive({ event, ...remote }: RemoteId & { readonly event: RemoteEvent }): void {
    for (const each of this.#remotes.get(remote.endpoint)?.byAddress(remote) ?? []) each.apply(event);
    this.#share(remote);
  }

  /** Everything known of all remotes, for a worker that starts. */
  get states(): Note {
    return {
      note: 'remoteStates',
      states: [...this.#remotes.values()].flatMap((remotes) => remotes.states),
    };
  }

  /** As in the status, without the counts of workers. */
  healthOf(endpoint: string): Readonly<Record<'TCP' | 'UDP', readonly RemoteHealth[]>> {
    return this.#remotes.get(endpoint)?.health ?? { TCP: [], UDP: [] };
  }

  stop(): void {
    for (const remotes of this.#remotes.values()) remotes.stop();
  }

  #share(remote: RemoteId): void {
    const [first] = this.#remotes.get(remote.endpoint)?.byAddress(remote) ?? [];
    if (first === undefined) return;
    this.#broadcast({ note: 'remoteStates', states: [{ ...remote, state: first.state }] });
  }
}
