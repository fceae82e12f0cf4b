import { setTimeout as delay } from 'node:timers/promises';
import type { TestNode } from '../../cluster/node.ts';
import { runOrThrow } from '../../cluster/run.ts';

const intervalMs = 100;

type Service = {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly type: string };
  readonly status: { readonly loadBalancer?: { readonly ingress?: readonly unknown[] } };
};

/**
 * The load balancer of a node: it gives each Service of that type an address of each family, out of the ranges for documentation
 * (RFC 5737, RFC 3849), and routes them to the node.
 */
export class Balancer {
  readonly #node: TestNode;
  readonly #over = new AbortController();
  readonly #loop: Promise<void>;
  #given = 0;

  /** Starts it. */
  constructor(node: TestNode) {
    this.#node = node;
    this.#loop = this.#work();
  }

  /** Stops it. */
  async stop(): Promise<void> {
    this.#over.abort();
    await this.#loop;
  }

  async #work(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const { items } = (await this.#node.request('GET', '/api/v1/services')).json() as { items: Service[] };
      for (const service of items) {
        if (service.spec.type === 'LoadBalancer' && service.status.loadBalancer?.ingress === undefined) {
          await this.#give(service);
        }
      }
      await delay(intervalMs, undefined, { signal: this.#over.signal }).catch(() => undefined);
    }
  }

  async #give({ metadata: { name, namespace } }: Service): Promise<void> {
    this.#given += 1;
    const addresses = {
      ipv4: `203.0.113.${String(this.#given)}`,
      ipv6: `2001:db8:113::${this.#given.toString(16)}`,
    };
    for (const family of ['ipv4', 'ipv6'] as const) {
      await runOrThrow(['ip', 'route', 'replace', addresses[family], 'via', this.#node.addresses[family]]);
    }
    const status = { loadBalancer: { ingress: Object.values(addresses).map((ip) => ({ ip })) } };
    const path = `/api/v1/namespaces/${namespace}/services/${name}/status`;
    await this.#node.request('PATCH', path, { status }, 'application/merge-patch+json'); // asked again if it fails
  }
}
