import type { ControlPlane } from '../cluster/control-plane.ts';

type Pod = {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
};

/** Reports the Pods of `namespace` as ready, as kubelet would: no node runs them, but rollouts come to their end. */
export async function markPodsReady(cluster: ControlPlane, namespace: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const { items } = (await cluster.request('GET', path)).json() as { items: readonly Pod[] };
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
  for (const { metadata, status: seen } of items) {
    if (seen?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True')) continue;
    const pod = `${path}/${metadata.name}/status`;
    await cluster.request('PATCH', pod, { status }, 'application/strategic-merge-patch+json'); // it may be gone
  }
}
