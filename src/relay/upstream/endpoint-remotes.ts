import { portsOf } from '../../config/port-config.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Protocol } from '../../api/port-conflicts.ts';
import { HealthChecks, type HealthChecksContext } from './health-checks.ts';
import type { RemotePool } from './remote-pool.ts';
import { RemotePools } from './remote-pools.ts';
import type { Remote, RemoteContext, RemoteEvent, RemoteHealth, RemoteState } from './remote.ts';

/** What happened to a remote, or how it is now; its name is its address, since equal addresses fare equally. */
export type RemoteId = { readonly endpoint: string; readonly protocol: Protocol; readonly remote: string };

/** What the remotes of an endpoint work with. */
export type EndpointRemotesContext = Omit<RemoteContext, 'endpoint' | 'onEvent'> &
  HealthChecksContext & {
    /** Told of what happens to a remote here, and has to be known where it is not seen. */
    readonly onRemoteEvent?: (event: RemoteId & { readonly event: RemoteEvent }) => void;
  };

/** The remotes of an endpoint, for each protocol by itself, since a remote may serve one and not the other. */
export class EndpointRemotes {
  readonly #pools: Readonly<Record<Protocol, RemotePools>>;
  readonly #healthChecks: HealthChecks;
  #config: EndpointConfig;

  constructor(config: EndpointConfig, context: EndpointRemotesContext) {
    const { name: endpoint } = config;
    const pools = (protocol: Protocol): RemotePools =>
      new RemotePools(config, {
        ...context,
        onEvent: (remote, event) => context.onRemoteEvent?.({ endpoint, protocol, remote, event }),
      });
    this.#config = config;
    this.#pools = { TCP: pools('TCP'), UDP: pools('UDP') };
    this.#healthChecks = new HealthChecks(context);
    this.#healthChecks.run(this.#pools.TCP.first.remotes, config);
  }

  /** How they are, in the order of the configuration; [] for a protocol that is not relayed. */
  get health(): Readonly<Record<Protocol, readonly RemoteHealth[]>> {
    const { tcp, udp } = this.#config.network;
    return { TCP: tcp ? this.#pools.TCP.health : [], UDP: udp ? this.#pools.UDP.health : [] };
  }

  /** What is known of each, to be shared. */
  get states(): readonly (RemoteId & { readonly state: RemoteState })[] {
    const { name: endpoint } = this.#config;
    return (['TCP', 'UDP'] as const).flatMap((protocol) =>
      this.#pools[protocol].known.map(({ text: remote, state }) => ({ endpoint, protocol, remote, state })),
    );
  }

  /** Uses the remotes of `config`; those that are known stay what they are, and where nothing changes so do checks. @returns whether it did. */
  configure(config: EndpointConfig): boolean {
    const [before, after] = [this.#config, config].map((each) =>
      JSON.stringify([each.balance, portsOf(each), each.healthCheck, each.through]),
    );
    this.#config = config;
    if (before === after) return false;
    this.#pools.TCP.configure(config);
    this.#pools.UDP.configure(config);
    this.#healthChecks.run(this.#pools.TCP.first.remotes, config);
    return true;
  }

  /** As configured, in order, with all of their ports. */
  get names(): readonly string[] {
    return this.#pools.TCP.names;
  }

  /** As `RemotePools.at`. */
  forPort(protocol: Protocol, port: number): RemotePool | undefined {
    return this.#pools[protocol].forPort(port);
  }

  /** As `RemotePools.expect`. */
  addPorts(config: EndpointConfig): void {
    this.#pools.TCP.addPorts(config);
    this.#pools.UDP.addPorts(config);
  }

  /** Those of one address. */
  byAddress({ protocol, remote }: RemoteId): readonly Remote[] {
    return this.#pools[protocol].byAddress(remote);
  }

  /** Ends the health checks. */
  stop(): void {
    this.#healthChecks.stop();
  }
}
