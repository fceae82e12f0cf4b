import { setTimeout as delay } from 'node:timers/promises';
import type { TestNode } from '../cluster/node.ts';
import { runOrThrow } from '../cluster/run.ts';

/** Addresses for documentation (RFC 5737, RFC 3849), which nobody has, on a network of our own. */
const pools = { IPv4: '198.51.100.', IPv6: '2001:db8::' } as const;
/** An IP family. */
export type Family = keyof typeof pools;
const everyMs = 200;

type Service = {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly type: string; readonly ipFamilies?: readonly Family[] };
  readonly status: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] } };
};

/**
 * Gives each Service of type LoadBalancer an address of each of its families, as MetalLB or a cloud would: this process
 * reaches them through the node, where kube-proxy knows them from the Service's status.
 */
export class LoadBalancer {
  readonly #node: TestNode;
  readonly #stopped = new AbortController();
  #next = 1;

  constructor(node: TestNode) {
    this.#node = node;
  }

  /** Makes the routes and starts. */
  async start(): Promise<void> {
    const { ipv4, ipv6 } = this.#node.addresses;
    await runOrThrow(['ip', 'route', 'replace', `${pools.IPv4}0/24`, 'via', ipv4]);
    await runOrThrow(['ip', '-6', 'route', 'replace', `${pools.IPv6}/64`, 'via', ipv6]);
    void this.#run();
  }

  /** Stops giving out addresses. */
  stop(): void {
    this.#stopped.abort();
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#look().catch(() => undefined); // the next look may succeed
      await delay(everyMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { items } = (await this.#node.request('GET', '/api/v1/services')).json() as {
      items: readonly Service[];
    };
    for (const { metadata, spec, status } of items) {
      if (spec.type !== 'LoadBalancer' || status.loadBalancer?.ingress !== undefined) continue;
      const host = this.#next++;
      const ingress = (spec.ipFamilies ?? []).map((family) => ({
        ip: `${pools[family]}${family === 'IPv6' ? host.toString(16) : String(host)}`,
      }));
      const path = `/api/v1/namespaces/${metadata.namespace}/services/${metadata.name}/status`;
      await this.#node.request(
        'PATCH',
        path,
        { status: { loadBalancer: { ingress } } },
        'application/merge-patch+json',
      );
    }
  }
}
