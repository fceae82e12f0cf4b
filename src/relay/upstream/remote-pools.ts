import { socketAddressText, type SocketAddress } from '../../config/address.ts';
import { addressesText, portsOf, type PortConfig } from '../../config/port-config.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { RemotePool } from './remote-pool.ts';
import { Remote, type RemoteContext, type RemoteHealth } from './remote.ts';

/**
 * The remotes of an endpoint, for one protocol, at each of its ports: dials that fail at one port say nothing of the
 * others, and each port takes turns by itself. What is known of them outlives a reload.
 */
export class RemotePools {
  readonly #context: Omit<RemoteContext, 'endpoint'>;
  #config: EndpointConfig;
  #ports: Map<number, PortConfig>;
  #first: RemotePool;
  /** By listening port, each made when its first client comes. */
  #pools = new Map<number, RemotePool>();
  /** Every remote of a pool, by its address. */
  #known = new Map<string, Remote>();
  #names: readonly string[];

  constructor(config: EndpointConfig, context: Omit<RemoteContext, 'endpoint'>) {
    this.#context = context;
    this.#config = config;
    this.#ports = byPort(config);
    this.#first = this.#firstPool();
    this.#names = remoteNames(config);
  }

  /** Those of the first port. */
  get first(): RemotePool {
    return this.#first;
  }

  /** Every remote of the ports that have been used. */
  get known(): readonly Remote[] {
    return [...this.#known.values()];
  }

  /** Those with an address, of whichever port. */
  byAddress(text: string): readonly Remote[] {
    for (const { listen, remotes } of this.#ports.values()) {
      if (remotes.some((address) => socketAddressText(address) === text)) this.forPort(listen.port);
    }
    return this.known.filter((remote) => remote.text === text);
  }

  /** As configured, with all of their ports: `192.0.2.1:9000-9255`. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Each remote with all of its ports: healthy where any of those that were used is. */
  get health(): readonly RemoteHealth[] {
    return this.#names.map((address, index) => {
      const remotes = new Set([...this.#pools.values()].flatMap((pool) => pool.remotes[index] ?? []));
      const each = [...remotes].map(({ health }) => health);
      const { healthy, reason } = each.find((one) => one.healthy) ?? each[0] ?? healthyRemote;
      const sum = (of: 'active' | 'dials' | 'failed'): number =>
        each.reduce((total, one) => total + one[of], 0);
      return { address, healthy, reason, active: sum('active'), dials: sum('dials'), failed: sum('failed') };
    });
  }

  /**
   * Those of a listening port.
   *
   * @returns undefined where the endpoint has a range without that port: its client has waited until it was gone.
   */
  forPort(port: number): RemotePool | undefined {
    const pool = this.#pools.get(port);
    if (pool !== undefined) return pool;
    const config = this.#ports.get(port);
    if (config !== undefined) return this.#furtherPool(config);
    return this.#config.range === undefined ? this.#first : undefined;
  }

  /** Also serves the ports of `config` that are new, since their sockets are bound before it is taken. */
  addPorts(config: EndpointConfig): void {
    this.#ports = new Map([...byPort(config), ...this.#ports]);
  }

  /** Uses the remotes of `config`; those that are known stay what they are. */
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

  /** Health checks go to the first port, and what they find holds for all. */
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
    const all = keys(remotes).map((key, index) => {
      const known = this.#known.get(key);
      if (known !== undefined) return known;
      const remote = new Remote(remotes[index] as SocketAddress, { ...this.#context, endpoint: name });
      this.#known.set(key, remote);
      return remote;
    });
    const pool = new RemotePool(all, balance, hashed);
    this.#pools.set(listen.port, pool);
    return pool;
  }
}

const healthyRemote = { healthy: true, reason: '' } as const;

function byPort(config: EndpointConfig): Map<number, PortConfig> {
  return new Map(portsOf(config).map((port) => [port.listen.port, port]));
}

/** The remotes of an endpoint as configured, with all of their ports: `192.0.2.1:9000-9255`. */
export function remoteNames(config: EndpointConfig): string[] {
  const ports = portsOf(config);
  return config.remotes.map((_, index) =>
    addressesText(ports.flatMap(({ remotes }) => remotes[index] ?? [])),
  );
}

/** The text of each address, numbered where it is listed again. */
function keys(addresses: readonly SocketAddress[]): string[] {
  const texts = addresses.map(socketAddressText);
  return texts.map(
    (text, index) => `${text}#${String(texts.slice(0, index).filter((other) => other === text).length)}`,
  );
}
