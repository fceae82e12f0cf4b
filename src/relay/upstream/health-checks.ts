import type { SocketAddress } from '../../config/address.ts';
import type { HealthCheckConfig } from '../../config/health-check-keys.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Target, TcpStack } from '../net/channel.ts';
import type { UdpStack } from '../net/datagrams.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import type { Lookup } from '../dns/lookup.ts';
import { ownProxyHeader } from '../proxy-protocol/header.ts';
import { dialForCheck } from './check-dial.ts';
import { Dial } from './dial.ts';
import type { ConnectionAttempt } from './happy-eyeballs.ts';
import type { Remote } from './remote.ts';
import { UdpProbe, udpQuery } from './udp-probe.ts';

/** What health checks work with. */
export type HealthChecksContext = {
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly tcp: TcpStack;
  readonly udp: UdpStack;
  readonly budget: DescriptorBudget;
};

/** The remotes of an endpoint's first port, in the order of the configuration, which is the same for both protocols. */
type CheckedRemotes = { readonly TCP: readonly Remote[]; readonly UDP: readonly Remote[] };

/**
 * Checks remotes periodically, and reports the outcome to each remote: by a TCP connect, which counts for the remote of
 * UDP, too, unless UDP has a check of its own.
 */
export class HealthChecks {
  readonly #context: HealthChecksContext;
  #running: readonly Check[] = [];

  constructor(context: HealthChecksContext) {
    this.#context = context;
  }

  /** Replaces all checks by those of `config`; the first ones start at once. */
  run(remotes: CheckedRemotes, config: EndpointConfig): void {
    this.stop();
    const { healthCheck: settings, through, dialDevice: device, deniedDestinations: denied } = config;
    for (const each of uncheckedRemotes(remotes, config)) each.clearChecks();
    if (settings === undefined) return;
    const context = { ...this.#context, through, device, denied };
    const [connect, ask] = [tcpConnect(this.#context.tcp, config), udpConnect(this.#context.udp, config)];
    const hasOwn = ask !== undefined;
    const tcp = isTcpChecked(config)
      ? remotes.TCP.map((remote, index) => {
          const follower = hasOwn ? undefined : remotes.UDP[index];
          return new Check({ remote, follower, connect }, settings, context);
        })
      : [];
    const udp = hasOwn
      ? remotes.UDP.map(
          (remote) => new Check({ remote, follower: undefined, connect: ask }, settings, context),
        )
      : [];
    this.#running = [...tcp, ...udp];
  }

  /** Ends all checks. */
  stop(): void {
    for (const check of this.#running) check.stop();
    this.#running = [];
  }
}

type CheckContext = HealthChecksContext & {
  /** Source address of the checks; undefined = the system's choice. */
  readonly through: SocketAddress | undefined;
  /** The network interface that checks leave by; undefined = the system's choice. */
  readonly device: string | undefined;
  /** Addresses and ranges that are not dialled; undefined = none. */
  readonly denied: readonly string[] | undefined;
};

/** What is checked, and how. */
type Checked = {
  readonly remote: Remote;
  /** The remote of the other protocol that has the same outcome. */
  readonly follower: Remote | undefined;
  readonly connect: Connect;
};

/** Connects to an address, or asks it, as a `Dial` requires. */
export type Connect = (target: Target, onConnected: (error: Error | undefined) => void) => ConnectionAttempt;

/** How checks connect to the remotes of TCP. */
export function tcpConnect(tcp: TcpStack, { network }: EndpointConfig): Connect {
  const { sendProxyVersion: version, sendMptcp: mptcp } = network;
  const connect: TcpStack['connect'] = (target, onConnected) =>
    tcp.connect({ ...target, mptcp }, onConnected);
  if (version === undefined) return connect;
  return (target, onConnected) => {
    const channel = connect(target, (error) => {
      // A remote that expects a header would count a connection without one as an error.
      if (error === undefined) channel.write(ownProxyHeader(version));
      onConnected(error);
    });
    return channel;
  };
}

/** How the remotes of UDP are asked; undefined if they have no check of their own. */
function udpConnect(udp: UdpStack, { healthCheck, network }: EndpointConfig): Connect | undefined {
  if (healthCheck?.udp === undefined || !network.udp) return undefined;
  const header = network.sendProxyUdp === true ? ownProxyHeader(2) : new Uint8Array();
  const query = { udp, dscp: network.dscp, ...udpQuery(healthCheck.udp, header) };
  return (target, onConnected) => new UdpProbe(target, query, onConnected);
}

/** Whether anything depends on whether the remotes accept TCP connections. */
function isTcpChecked({ healthCheck, network }: EndpointConfig): boolean {
  return healthCheck !== undefined && (network.tcp || healthCheck.udp === undefined);
}

function uncheckedRemotes(remotes: CheckedRemotes, config: EndpointConfig): readonly Remote[] {
  if (config.healthCheck === undefined) return [...remotes.TCP, ...remotes.UDP];
  return isTcpChecked(config) ? [] : remotes.TCP;
}

/** The checks of one remote, one after the other until `stop`. */
class Check {
  readonly #checked: Checked;
  readonly #settings: HealthCheckConfig;
  readonly #context: CheckContext;
  #dial: Dial<ConnectionAttempt> | undefined;
  #isStopped = false;
  #stopTimer: () => void = () => undefined;

  constructor(checked: Checked, settings: HealthCheckConfig, context: CheckContext) {
    this.#checked = checked;
    this.#settings = settings;
    this.#context = context;
    void this.#check();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopTimer();
    this.#dial?.cancel();
  }

  async #check(): Promise<void> {
    const { budget, clock } = this.#context;
    budget.take(1);
    await this.#connect();
    budget.release(1);
    if (this.#isStopped) return;
    this.#stopTimer = clock.after(this.#settings.intervalMs, () => void this.#check());
  }

  /** Never rejects: a failure is reported to the remote. */
  async #connect(): Promise<void> {
    const { remote, follower, connect } = this.#checked;
    const { healthyThreshold, unhealthyThreshold, timeoutMs } = this.#settings;
    const dial = new Dial({ ...this.#context, connect, timeoutMs, onFailedTry: () => undefined });
    this.#dial = dial;
    await dialForCheck(dial, remote, {
      succeed: () => {
        if (this.#isStopped) return;
        remote.passCheck(healthyThreshold);
        follower?.follow(remote);
      },
      fail: (error) => {
        if (this.#isStopped) return;
        remote.failCheck(unhealthyThreshold, error);
        follower?.follow(remote);
      },
    });
  }
}
