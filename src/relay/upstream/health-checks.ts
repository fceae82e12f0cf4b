import type { SocketAddress } from '../../config/address.ts';
import type { HealthCheckConfig } from '../../config/health-check-keys.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Channel, TcpStack } from '../net/channel.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import type { Lookup } from '../dns/lookup.ts';
import { ownProxyHeader } from '../proxy-protocol/header.ts';
import { Dial, type DialTarget } from './dial.ts';
import type { Remote } from './remote.ts';

/** What health checks work with. */
export type HealthChecksContext = {
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly tcp: TcpStack;
  readonly budget: DescriptorBudget;
};

/** Checks remotes periodically by a TCP connect, and reports the outcome to each remote. */
export class HealthChecks {
  readonly #context: HealthChecksContext;
  #running: readonly Check[] = [];

  constructor(context: HealthChecksContext) {
    this.#context = context;
  }

  /** Replaces all checks by those of `remotes`; the first ones start at once. */
  run(
    remotes: readonly Remote[],
    { healthCheck: settings, through, deniedDestinations: denied, network }: EndpointConfig,
  ): void {
    this.stop();
    if (settings === undefined) for (const remote of remotes) remote.clearChecks();
    else
      this.#running = remotes.map(
        (remote) => new Check(remote, settings, { ...this.#context, through, denied, network }),
      );
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
  /** Addresses and ranges that are not dialled; undefined = none. */
  readonly denied: readonly string[] | undefined;
  readonly network: Pick<EndpointConfig['network'], 'sendProxyVersion'>;
};

/** The checks of one remote, one after the other until `stop`. */
class Check {
  readonly #remote: Remote;
  readonly #settings: HealthCheckConfig;
  readonly #context: CheckContext;
  #dial: Dial<Channel> | undefined;
  #isStopped = false;
  #stopTimer: () => void = () => undefined;

  constructor(remote: Remote, settings: HealthCheckConfig, context: CheckContext) {
    this.#remote = remote;
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

  /** Never rejects: the target of the dial reports a failure. */
  async #connect(): Promise<void> {
    const dial = new Dial({
      ...this.#context,
      connect: this.#context.tcp.connect,
      timeoutMs: this.#settings.timeoutMs,
      onFailedTry: () => undefined,
    });
    this.#dial = dial;
    try {
      const dialled = await dial.connect([this.#target()]);
      if (dialled === undefined) return;
      const { sendProxyVersion: version } = this.#context.network;
      // A remote that expects a header would count a connection without one as an error.
      if (version !== undefined) dialled.channel.write(ownProxyHeader(version));
      dialled.channel.close();
    } catch {
      // reported by `fail`
    }
  }

  /** The remote as the target of a check, which does not count as one of its connections. */
  #target(): DialTarget {
    const { host, port, ip, text } = this.#remote;
    return {
      host,
      port,
      ...(ip !== undefined && { ip }),
      text,
      acquire: () => undefined,
      release: () => undefined,
      succeed: () => {
        if (!this.#isStopped) this.#remote.passCheck(this.#settings.healthyThreshold);
      },
      fail: (error) => {
        if (!this.#isStopped) this.#remote.failCheck(this.#settings.unhealthyThreshold, error);
      },
    };
  }
}
