import { portsOf } from '../../config/port-config.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Protocol } from '../../api/port-conflicts.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Lookup } from '../dns/lookup.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import type { TcpStack } from '../net/channel.ts';
import type { UdpStack } from '../net/datagrams.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import type { Backends } from './backends.ts';
import { HealthChecks, type Connect } from './health-checks.ts';
import { OvertakenChecks } from './overtaken-checks.ts';
import { RemotePools } from './remote-pools.ts';
import type { RemoteHealth } from './remote-health.ts';
import type { Remote } from './remote.ts';

/** What the remotes of an endpoint work with. */
export type EndpointRemotesContext = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly clock: Clock;
  /** In [0, 1), for the jitter of backoffs. */
  readonly random: () => number;
  readonly lookup: Lookup;
  readonly tcp: TcpStack;
  readonly udp: UdpStack;
  readonly budget: DescriptorBudget;
  /** See `OvertakenChecksContext`. */
  readonly connect: () => Connect | undefined;
};

/** The remotes of an endpoint, separately for each protocol, because a remote may serve one and not the other. */
export class EndpointRemotes {
  /** Each is created when its protocol is relayed, or checked. */
  readonly #pools = new Map<Protocol, RemotePools>();
  readonly #newPools: () => RemotePools;
  readonly #healthChecks: HealthChecks;
  readonly #overtakenChecks: OvertakenChecks;
  #config: EndpointConfig;

  constructor(config: EndpointConfig, context: EndpointRemotesContext) {
    this.#config = config;
    this.#overtakenChecks = new OvertakenChecks({ ...context, config: () => this.#config });
    const onOvertaken = (remote: Remote): void => {
      this.#overtakenChecks.run(remote);
    };
    this.#newPools = () => new RemotePools(this.#config, { ...context, onOvertaken });
    this.#healthChecks = new HealthChecks(context);
    this.#healthChecks.run(this.#firstRemotes, config);
  }

  /** The health of each remote, in the order of the configuration; [] for a protocol that is not relayed. */
  get health(): Readonly<Record<Protocol, readonly RemoteHealth[]>> {
    const { tcp, udp } = this.#config.network;
    return { TCP: tcp ? this.#of('TCP').health : [], UDP: udp ? this.#of('UDP').health : [] };
  }

  /**
   * Switches to the remotes of `config`. Known remotes keep their state; if no setting of the remotes changes, checks
   * go on.
   *
   * @returns whether a setting of the remotes changed.
   */
  configure(config: EndpointConfig): boolean {
    const [before, after] = [this.#config, config].map((each) => {
      const { balance, backends, healthCheck, network, through, dialDevice, deniedDestinations } = each;
      const { tcp, udp, sendProxyVersion, sendProxyUdp } = network;
      const checks = healthCheck && [healthCheck, tcp, udp, sendProxyVersion, sendProxyUdp];
      return JSON.stringify([
        balance,
        backends,
        portsOf(each),
        checks,
        through,
        dialDevice,
        deniedDestinations,
      ]);
    });
    this.#config = config;
    if (before === after) return false;
    for (const pools of this.#pools.values()) pools.configure(config);
    this.#healthChecks.run(this.#firstRemotes, config);
    return true;
  }

  get #firstRemotes(): Readonly<Record<Protocol, readonly Remote[]>> {
    const { network, healthCheck } = this.#config;
    const isTcpUsed = network.tcp || healthCheck !== undefined || this.#pools.has('TCP');
    const isUdpUsed = network.udp || this.#pools.has('UDP');
    return {
      TCP: isTcpUsed ? this.#of('TCP').first.remotes : [],
      UDP: isUdpUsed ? this.#of('UDP').first.remotes : [],
    };
  }

  /** As configured, in order, with all of their ports. */
  get names(): readonly string[] {
    return (this.#pools.get('UDP') ?? this.#of('TCP')).names;
  }

  /** See `RemotePools.forPort`. */
  forPort(protocol: Protocol, port: number): Backends | undefined {
    return this.#of(protocol).forPort(port);
  }

  /** See `RemotePools.addPorts`. */
  addPorts(config: EndpointConfig): void {
    if (config.network.tcp) this.#of('TCP').addPorts(config);
    if (config.network.udp) this.#of('UDP').addPorts(config);
  }

  #of(protocol: Protocol): RemotePools {
    const known = this.#pools.get(protocol);
    if (known !== undefined) return known;
    const pools = this.#newPools();
    this.#pools.set(protocol, pools);
    return pools;
  }

  /** Ends all checks. */
  stop(): void {
    this.#healthChecks.stop();
    this.#overtakenChecks.stop();
  }
}
