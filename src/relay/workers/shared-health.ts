import type { RelayConfig } from '../../config/relay-config.ts';
import { EndpointRemotes, type EndpointRemotesContext, type RemoteId } from '../upstream/endpoint-remotes.ts';
import type { RemoteEvent, RemoteHealth } from '../upstream/remote.ts';
import type { Note } from './messages.ts';

/** Which remotes work, known for all workers at one place: checks run here, and workers tell of their dials. */
export class SharedHealth {
  readonly #context: EndpointRemotesContext;
  readonly #broadcast: (note: Note) => void;
  #remotes = new Map<string, EndpointRemotes>();

  /** @param tell  tells every worker. */
  constructor(context: Omit<EndpointRemotesContext, 'onRemoteEvent'>, tell: (note: Note) => void) {
    this.#broadcast = tell;
    this.#context = {
      ...context,
      onRemoteEvent: (remote) => {
        this.#share(remote);
      },
    };
  }

  /** Checks the remotes of `endpoints` from now on, in place of those before. */
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

  /** Something happened in a worker. */
  receive({ event, ...remote }: RemoteId & { readonly event: RemoteEvent }): void {
    for (const each of this.#remotes.get(remote.endpoint)?.byAddress(remote) ?? []) each.apply(event);
    this.#share(remote);
  }

  /** All that is known, for a worker that knows nothing. */
  get states(): Note {
    return {
      note: 'remoteStates',
      states: [...this.#remotes.values()].flatMap((remotes) => remotes.states),
    };
  }

  /** As in status, but for what workers count. */
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
