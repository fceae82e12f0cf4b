import type { SocketAddress } from '../../config/address.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import type { Target } from '../net/channel.ts';
import type { RemotePool } from '../upstream/remote-pool.ts';
import type { Remote } from '../upstream/remote.ts';
import { isToLeave } from './candidates.ts';
import { Upstream, type UpstreamContext } from './upstream.ts';

/** What the sockets of a route work with. */
export type RouteSocketsContext = {
  /** Has a descriptor of the home's already. */
  readonly budget: DescriptorBudget;
  /** Source address of datagrams; undefined = the system's choice. */
  readonly through: SocketAddress | undefined;
  /** The remotes of the client's port, which a reload may change; undefined if it removed the port. */
  readonly pool: () => RemotePool | undefined;
};

/** What was opened: a trial, a home, or the home at its new address. */
export type Opened = 'trial' | 'home' | 'moved home';

/** The sockets of a route: that of its home, which stays open during a trial if possible, and that of the trial. */
export class RouteSockets {
  readonly #context: RouteSocketsContext;
  readonly #upstreamContext: UpstreamContext;
  #home: Upstream | undefined;
  #trial: Upstream | undefined;

  constructor(context: RouteSocketsContext, upstreamContext: UpstreamContext) {
    this.#context = context;
    this.#upstreamContext = upstreamContext;
  }

  get home(): Upstream | undefined {
    return this.#home;
  }

  get trial(): Upstream | undefined {
    return this.#trial;
  }

  /** The one that the client's datagrams go to. */
  get current(): Upstream | undefined {
    return this.#trial ?? this.#home;
  }

  /** Opens a trial, or the home if there is none that stays. @returns undefined if that is not possible. */
  open(remote: Remote, targets: readonly Target[]): Opened | undefined {
    const home = this.#home;
    const others = targets.filter(({ address }) => remote !== home?.remote || address !== home.address);
    if (others.length === 0) return undefined;
    const isMoved = remote === home?.remote && others.length === targets.length;
    if (isMoved || (home !== undefined && !this.#mayStay(home))) this.dropHome();
    if (this.#home !== undefined) return this.#openTrial(remote, others);
    this.#home = new Upstream(remote, others, this.#upstreamContext);
    return isMoved ? 'moved home' : 'home';
  }

  dropHome(): void {
    this.#home?.close();
    this.#home = undefined;
  }

  closeTrial(): void {
    if (this.#trial === undefined) return;
    this.#trial.close();
    this.#trial = undefined;
    this.#context.budget.release(1);
  }

  /** Makes `trial`, which has answered, the home. */
  promote(trial: Upstream): void {
    const home = this.#home;
    if (home?.remote === trial.remote) trial.remote.addresses.defer(home.address);
    this.dropHome();
    this.#home = trial;
    this.#trial = undefined;
    this.#context.budget.release(1);
  }

  /** Whether `home` stays open during a trial. */
  #mayStay({ remote }: Upstream): boolean {
    const { through, pool } = this.#context;
    const isPortShared = through !== undefined && through.port !== 0; // which two sockets cannot bind
    return !isPortShared && !isToLeave(remote, pool());
  }

  #openTrial(remote: Remote, targets: readonly Target[]): Opened | undefined {
    const { budget } = this.#context;
    if (!budget.hasRoom(1)) return undefined; // a session in use elsewhere needs it more
    budget.take(1);
    this.#trial = new Upstream(remote, targets, this.#upstreamContext);
    return 'trial';
  }
}
