import { socketAddressText, type SocketAddress } from '../../config/address.ts';
import { addressesText, portsOf, type PortConfig } from '../../config/port-config.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { RemotePool } from './remote-pool.ts';
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
  #first: RemotePool;
  /** By listening port; each is created for its first client. */
  #pools = new Map<number, RemotePool>();
  /** Every remote of a pool, by its key: see `remoteKeys`. */
  #known = new Map<string, Remote>();
  #names: readonly string[];

  constructor(config: EndpointConfig, context: RemoteContext) {
    this.#context = context;
    this.#config = config;
    this.#ports = byPort(config);
    this.#first = this.#firstPool();
    this.#names = remoteNames(config);
  }

  /** The pool of the first port. */
  get first(): RemotePool {
    return this.#first;
  }

  /** Each remote as configured, with all of its ports: `192.0.2.1:9000-9255`. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** The health of each remote over all of its ports: healthy if any port in use is, unknown if all are. */
  get health(): readonly RemoteHealth[] {
    return this.#names.map((address, index) => {
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
   * The pool of a listening port.
   *
   * @returns undefined if the endpoint is a range without that port, which a reload has removed while a client waited.
   */
  forPort(port: number): RemotePool | undefined {
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
    const used = [...this.#pools.keys()];
    this.#config = config;
    this.#ports = byPort(config);
    this.#names = remoteNames(config);
    this.#pools = new Map();
    this.#first = this.#firstPool();
    for (const port of used) this.forPort(port);
    const kept = new Set([...this.#pools.values()].flatMap(({ remotes }) => remotes));
    this.#known = new Map([...this.#known].filter(([, remote]) => kept.has(remote)));
  }

  /** Health checks run against the first port, and their result counts for all. */
  #firstPool(): RemotePool {
    const pool = this.#add(this.#config);
    for (const remote of pool.remotes) remote.mirrorChecksOf(undefined);
    return pool;
  }

  #furtherPool(config: PortConfig): RemotePool {
    const pool = this.#add(config);
    for (const [index, remote] of pool.remotes.entries()) {
      if (!this.#first.remotes.includes(remote)) remote.mirrorChecksOf(this.#first.remotes[index]);
    }
    return pool;
  }

  #add({ listen, remotes }: PortConfig): RemotePool {
    const { name, balance, remotes: hashed } = this.#config;
    const all = remoteKeys(remotes).map((key, index) => {
      const known = this.#known.get(key);
      if (known !== undefined) return known;
      const remote = new Remote(name, remotes[index] as SocketAddress, this.#context);
      this.#known.set(key, remote);
      return remote;
    });
    const pool = new RemotePool(all, balance, hashed);
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
  const texts = addresses.map(socketAddressText);
  return texts.map((text, index) =>
    remoteKey(text, texts.slice(0, index).filter((other) => other === text).length),
  );
}

function remoteKey(text: string, copy: number): string {
  return `${text}#${String(copy)}`;
}
