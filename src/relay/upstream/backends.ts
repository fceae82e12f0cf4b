import type { Backend } from '../../api/relay.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { RealmError } from '../../lib/errors.ts';
import { balancer, type Balancer, type Choice } from './balancer.ts';
import { RemotePool } from './remote-pool.ts';
import type { Remote } from './remote.ts';

/** The client that a PROXY header names belongs to the share of a backend that refuses. */
export class BackendRefusedError extends RealmError {
  readonly code = 'REALM_BACKEND_REFUSES';

  constructor() {
    super('the client belongs to the share of a backend with refuse: true');
  }
}

/** A backend as the balancer sees it. */
type Share = Choice & { readonly position: number };

/** What decides which backend is chosen, and the state of that. */
type Chooser = { readonly key: string; readonly choose: Balancer<Share> };

/**
 * The backends of one listening port for one protocol: each new client goes to one of them by weight, and fails over only
 * within it. A backend without remotes turns its share away. An endpoint without `backends` has one of all remotes.
 */
export class Backends {
  /** Those of the port, in the order of the configuration. */
  readonly remotes: readonly Remote[];
  /** By position; undefined for one that refuses. */
  readonly #pools: readonly (RemotePool | undefined)[];
  readonly #chooser: Chooser | undefined;
  #all: ReadonlySet<Remote> | undefined;

  /** @param before  the previous backends of the port, whose turns go on if the weights are the same. */
  constructor(remotes: readonly Remote[], config: EndpointConfig, before?: Backends) {
    const { backends } = config;
    this.remotes = remotes;
    this.#pools = backends?.map((each, position) => poolOf(each, position, remotes, config)) ?? [
      new RemotePool(remotes, { balance: config.balance, hashed: config.remotes, position: 0 }),
    ];
    if (backends === undefined) return;
    const key = JSON.stringify([config.balance.strategy, backends.map(({ weight }) => weight)]);
    const known = before === undefined ? undefined : before.#chooser;
    this.#chooser = known?.key === key ? known : newChooser(key, backends, config);
  }

  /**
   * The remotes for a new client: those of the backend whose turn it is, or, with IPHash, of the one that the client always
   * has. @param clientIp  as for `RemotePool.order`. @returns undefined if the client is to be turned away.
   */
  choose(clientIp: string): RemotePool | undefined {
    if (this.#chooser === undefined) return this.#pools[0];
    const [share] = this.#chooser.choose(clientIp);
    return this.#pools[share?.position ?? 0];
  }

  /** Whether `remote` is one of the port. */
  has(remote: Remote): boolean {
    this.#all ??= new Set(this.remotes);
    return this.#all.has(remote);
  }

  /**
   * What `pool` is now, which was chosen before the configuration changed: the one in its place, or else any other.
   *
   * @param pool  undefined = none was chosen, since a PROXY header was to name the client first.
   */
  current(pool: RemotePool | undefined): RemotePool | undefined {
    return this.#pools[pool?.position ?? 0] ?? this.#pools.find((each) => each !== undefined);
  }
}

function poolOf(
  backend: Backend,
  position: number,
  remotes: readonly Remote[],
  { balance, remotes: hashed }: EndpointConfig,
): RemotePool | undefined {
  if ('refuse' in backend) return undefined;
  const of = <T>(all: readonly T[]): T[] => backend.remotes.flatMap((index) => all[index] ?? []);
  const weights = of(balance.weights);
  return new RemotePool(of(remotes), { balance: { ...balance, weights }, hashed: of(hashed), position });
}

/** Backends take turns, so that shares are exact; with IPHash each client keeps its backend. */
function newChooser(key: string, backends: readonly Backend[], { balance }: EndpointConfig): Chooser {
  const strategy = balance.strategy === 'iphash' ? 'iphash' : 'roundrobin';
  const shares = backends.map((_, position): Share => ({ host: 'backend', port: position, position }));
  return { key, choose: balancer({ strategy, weights: backends.map(({ weight }) => weight) }, shares) };
}
