import { socketAddressText, type SocketAddress } from '../../config/address.ts';
import { addressesText, portsOf, type PortConfig } from '../../config/port-config.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { Backends } from './backends.ts';
import { healthOf, latest, sumOfCounts, type RemoteHealth } from './remote-health.ts';
import { Remote, type RemoteContext } from './remote.ts';

/**
 * The remotes of an endpoint for one protocol, with a pool for each listening port: a dial that fails at one port
 * does not affect the others, and each port is balanced separately. Remotes keep their state across a reload.
 */
export class RemotePools {
  readonly #context: RemoteContext;
  #config: EndpointConfig;
  #ports: Map<number, PortConfig>;
  #first: Backends;
  /** By listening port; each is created for its first client. */
  #pools = new Map<number, Backends>();
  /** Every remote of a pool, by its key: see `remoteKeys`. */
  #known = new Map<string, Remote>();
  /** Those of the previous configuration, while `configure` replaces them. */
  #before: ReadonlyMap<number, Backends> | undefined;
  #names: readonly string[] | undefined;

  constructor(config: EndpointConfig, context: RemoteContext) {
    this.#context = context;
    this.#config = config;
    this.#ports = byPort(config);
    this.#first = this.#firstPool();
  }

  /** The backends of the first port. */
  get first(): Backends {
    return this.#first;
  }

  /** Each remote as configured, with all of its ports: `192.0.2.1:9000-9255`. */
  get names(): readonly string[] {
    this.#names ??= remoteNames(this.#config); // thousands of endpoints may never be asked
    return this.#names;
  }

  /** The health of each remote over all of its ports: healthy if any port in use is, unknown if all are. */
  get health(): readonly RemoteHealth[] {
    return this.names.map((address, index) => {
      const remotes = new Set([...this.#pools.values()].flatMap((pool) => pool.remotes[index] ?? []));
      const each = [...remotes].map(({ health }) => health);
      const { state, reason } = each.find((one) => one.healthy === true) ??
        each.find((one) => one.healthy === false) ?? { state: 'unknown', reason: '' };
      return {
        address,
        ...healthOf(state),
        reason,
        ...sumOfCounts(each),
        lastCheck: latest(each.map(({ lastCheck }) => lastCheck)),
        lastFailure: latest(each.map(({ lastFailure }) => lastFailure)),
      };
    });
  }

  /**
   * The backends of a listening port.
   *
   * @returns undefined if the endpoint is a range without that port, which a reload has removed while a client waited.
   */
  forPort(port: number): Backends | undefined {
    const pool = this.#pools.get(port);
    if (pool !== undefined) return pool;
    const config = this.#ports.get(port);
    if (config !== undefined) return this.#furtherPool(config);
    return this.#config.range === undefined ? this.#first : undefined;
  }

  /** Adds the ports of `config` that are new, because their sockets are bound before `configure`. */
  addPorts(config: EndpointConfig): void {
    for (const port of portsOf(config))
      if (!this.#ports.has(port.listen.port)) this.#ports.set(port.listen.port, port);
  }

  /** Switches to the remotes of `config`; known ones keep their state. */
  configure(config: EndpointConfig): void {
    const before = this.#pools;
    this.#config = config;
    this.#ports = byPort(config);
    this.#names = undefined;
    this.#pools = new Map();
    this.#before = before;
    this.#first = this.#firstPool();
    for (const port of before.keys()) this.forPort(port);
    this.#before = undefined;
    const kept = new Set([...this.#pools.values()].flatMap(({ remotes }) => remotes));
    this.#known = new Map([...this.#known].filter(([, remote]) => kept.has(remote)));
  }

  /** Health checks run against the first port, and their result counts for all. */
  #firstPool(): Backends {
    const pool = this.#add(this.#config);
    for (const remote of pool.remotes) remote.mirrorChecksOf(undefined);
    return pool;
  }

  #furtherPool(config: PortConfig): Backends {
    const pool = this.#add(config);
    const checked = new Set(this.#first.remotes);
    for (const [index, remote] of pool.remotes.entries()) {
      if (!checked.has(remote)) remote.mirrorChecksOf(this.#first.remotes[index]);
    }
    return pool;
  }

  #add({ listen, remotes }: PortConfig): Backends {
    const { name } = this.#config;
    const all = remoteKeys(remotes).map((key, index) => {
      const known = this.#known.get(key);
      if (known !== undefined) return known;
      const remote = new Remote(name, remotes[index] as SocketAddress, this.#context);
      this.#known.set(key, remote);
      return remote;
    });
    const pool = new Backends(all, this.#config, this.#before?.get(listen.port));
    this.#pools.set(listen.port, pool);
    return pool;
  }
}

function byPort(config: EndpointConfig): Map<number, PortConfig> {
  return new Map(portsOf(config).map((port) => [port.listen.port, port]));
}

/** The remotes of an endpoint as configured, with all of their ports: `192.0.2.1:9000-9255`. */
function remoteNames(config: EndpointConfig): string[] {
  const ports = portsOf(config);
  return config.remotes.map((_, index) =>
    addressesText(ports.flatMap(({ remotes }) => remotes[index] ?? [])),
  );
}

/** The text of each address, numbered because one may be listed twice. */
function remoteKeys(addresses: readonly SocketAddress[]): string[] {
  const counts = new Map<string, number>();
  return addresses.map((address) => {
    const text = socketAddressText(address);
    const count = counts.get(text) ?? 0;
    counts.set(text, count + 1);
    return `${text}#${String(count)}`;
  });
}
