import type { EndpointConfig } from '../config/relay-config.ts';
import type { Protocol } from '../api/port-conflicts.ts';
import { HealthChecks, type HealthChecksContext } from './health-checks.ts';
import { RemotePool } from './remote-pool.ts';
import type { Remote, RemoteContext, RemoteEvent, RemoteHealth, RemoteState } from './remote.ts';

/** What happened to a remote, or how it is now; its name is its address, since equal addresses fare equally. */
export type OfRemote = { readonly endpoint: string; readonly protocol: Protocol; readonly remote: string };

/** What the remotes of an endpoint work with. */
export type EndpointRemotesContext = Omit<RemoteContext, 'endpoint' | 'onEvent'> &
  HealthChecksContext & {
    /** Told of what happens to a remote here, and has to be known where it is not seen. */
    readonly onRemoteEvent?: (event: OfRemote & { readonly event: RemoteEvent }) => void;
  };

/** The remotes of an endpoint, for each protocol by itself, since a remote may serve one and not the other. */
export class EndpointRemotes {
  readonly #pools: Readonly<Record<Protocol, RemotePool>>;
  readonly #healthChecks: HealthChecks;
  #config: EndpointConfig;

  constructor(config: EndpointConfig, context: EndpointRemotesContext) {
    const { name: endpoint } = config;
    const pool = (protocol: Protocol): RemotePool =>
      new RemotePool(config, {
        ...context,
        onEvent: (remote, event) => context.onRemoteEvent?.({ endpoint, protocol, remote, event }),
      });
    this.#config = config;
    this.#pools = { TCP: pool('TCP'), UDP: pool('UDP') };
    this.#healthChecks = new HealthChecks(context);
    this.#healthChecks.run(this.#pools.TCP.remotes, config);
  }

  /** How they are, in the order of the configuration; [] for a protocol that is not relayed. */
  get health(): Readonly<Record<Protocol, readonly RemoteHealth[]>> {
    const { tcp, udp } = this.#config.network;
    return { TCP: tcp ? health(this.#pools.TCP) : [], UDP: udp ? health(this.#pools.UDP) : [] };
  }

  /** What is known of each, to be shared. */
  get states(): readonly (OfRemote & { readonly state: RemoteState })[] {
    const { name: endpoint } = this.#config;
    return (['TCP', 'UDP'] as const).flatMap((protocol) =>
      this.#pools[protocol].remotes.map(({ text: remote, state }) => ({ endpoint, protocol, remote, state })),
    );
  }

  /** Uses the remotes of `config`; those that are known stay what they are, and where nothing changes so do checks. */
  configure(config: EndpointConfig): void {
    const [before, after] = [this.#config, config].map(({ balance, remotes, healthCheck, through }) =>
      JSON.stringify([balance, remotes, healthCheck, through]),
    );
    this.#config = config;
    if (before === after) return;
    this.#pools.TCP.configure(config);
    this.#pools.UDP.configure(config);
    this.#healthChecks.run(this.#pools.TCP.remotes, config);
  }

  /** As `RemotePool.order`. */
  order(protocol: Protocol, clientIp: string): readonly Remote[] {
    return this.#pools[protocol].order(clientIp);
  }

  /** Those of one address. */
  named({ protocol, remote }: OfRemote): readonly Remote[] {
    return this.#pools[protocol].remotes.filter(({ text }) => text === remote);
  }

  /** Ends the health checks. */
  stop(): void {
    this.#healthChecks.stop();
  }
}

function health({ remotes }: RemotePool): RemoteHealth[] {
  return remotes.map((remote) => remote.health);
}
