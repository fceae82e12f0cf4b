import { type Action, awaitChange } from '../../controller/action.ts';
import type { Turn } from '../../controller/controller.ts';
import type { WorkQueue } from '../../controller/work-queue.ts';
import type { Platform } from '../../desired/platform.ts';
import { routeKinds } from '../../gateway/types.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { ObjectKey } from '../../kube/object.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { PodPoller } from '../relay-poller.ts';
import type { WatchProblem } from '../watches.ts';
import { Pacer } from './pacer.ts';
import { policyPrefix } from './policy-index.ts';
import { type GatewayCluster, reconcileGateway } from './reconcile-gateway.ts';
import { reconcilePolicy } from './reconcile-policy.ts';
import { type KindContext, reconcileClass, reconcileRoute } from './reconcile-route.ts';
import { GatewayStores } from './stores.ts';
import { GatewayWatches } from './watches.ts';

/** What the front works with. */
export type GatewayFrontOptions = {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** The namespaces that are watched; all if empty. */
  readonly namespaces: readonly string[];
  readonly cluster: GatewayCluster;
  readonly queue: Pick<WorkQueue<ObjectKey>, 'add' | 'addAfter' | 'retryNow'>;
  readonly poller: PodPoller;
  readonly platform: () => Promise<Platform>;
  readonly onWatchFailure: (kind: string) => void;
  readonly onStatusFailure: () => void;
};

/** The prefixes of its keys in the queue, in front of `NAMESPACE/NAME`. */
const prefixes = ['class', 'gateway', ...routeKinds.map((kind) => kind.toLowerCase()), policyPrefix];

/**
 * The Gateway API as a second front beside RealmRelays: it watches GatewayClasses, Gateways and routes, and reconciles them
 * by the queue of the operator.
 */
export class GatewayFront {
  readonly #options: GatewayFrontOptions;
  readonly #stores = new GatewayStores();
  readonly #watches: GatewayWatches;
  readonly #pacer: Pacer;

  constructor(options: GatewayFrontOptions) {
    const { client, clock, log, namespaces, queue } = options;
    this.#options = options;
    this.#pacer = new Pacer(clock);
    this.#stores.subscribe((key, pace) => {
      const delayMs = pace === 'soon' ? this.#pacer.delayMs(key) : 0;
      if (delayMs > 0) queue.addAfter(key, delayMs, 'news');
      else queue.add(key);
    });
    this.#watches = new GatewayWatches({
      client,
      clock,
      log,
      namespaces,
      stores: this.#stores,
      onFailure: options.onWatchFailure,
      onRecovered: () => {
        queue.retryNow();
      },
      onReady: () => {
        for (const key of this.#stores.keys()) queue.add(key, 'background');
      },
    });
  }

  /** Whether `key` is one of this front. */
  owns(key: ObjectKey): boolean {
    const [prefix = '', ...rest] = key.split('/');
    return rest.length === 2 && prefixes.includes(prefix);
  }

  /** The watches that the API server refuses. */
  get problems(): readonly WatchProblem[] {
    return this.#watches.problems;
  }

  /** Begins to look for the Gateway API. */
  start(): void {
    this.#watches.start();
  }

  /** Ends every watch. */
  stop(): Promise<void> {
    return this.#watches.stop();
  }

  /**
   * Reconciles the object that is queued by `key`. Until all is known that decisions depend on, nothing is decided about
   * Gateways and routes: an incomplete view would take working backends away.
   *
   * @throws what ended it, for the controller to retry with backoff.
   */
  async reconcile(key: ObjectKey, turn: Turn): Promise<Action> {
    if (key.startsWith('class/')) return reconcileClass(key, await this.#context(turn));
    if (!this.#watches.isReady) return awaitChange;
    const context = await this.#context(turn);
    if (key.startsWith('gateway/')) return reconcileGateway(key, context);
    return key.startsWith(`${policyPrefix}/`) ? reconcilePolicy(key, context) : reconcileRoute(key, context);
  }

  async #context(turn: Turn): Promise<KindContext> {
    const { cluster, poller, platform, clock, onStatusFailure } = this.#options;
    return {
      ...turn,
      cluster,
      poller,
      onStatusFailure,
      stores: this.#stores,
      pacer: this.#pacer,
      platform: await platform(),
      now: clock.now,
      kinds: this.#watches.kinds,
      missing: this.#watches.missing,
    };
  }
}
