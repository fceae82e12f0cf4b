import { configHashAnnotation } from '../desired/object-meta.ts';
import { fieldManager } from '../kube/apply.ts';
import { writeError } from '../kube/apply-errors.ts';
import type { KubeClient } from '../kube/client.ts';
import { Contests } from '../kube/contests.ts';
import { isKubeError } from '../kube/kube-error.ts';
import { objectPath } from '../kube/resource.ts';
import type { Clock } from '../lib/clock.ts';
import { podResource, type RelayPod } from './pods.ts';

/** Annotates Pods with the configuration that they are to run, so that kubelet refreshes the ConfigMap that they mount. */
export class PodAnnotations {
  readonly #client: Pick<KubeClient, 'request'>;
  readonly #contests: Contests;

  constructor(client: Pick<KubeClient, 'request'>, clock: Clock) {
    this.#client = client;
    this.#contests = new Contests(clock);
  }

  /**
   * Annotates `pod` with `hash`, if it still exists, unless others removed that annotation again and again.
   *
   * @returns how long it has to wait, in milliseconds; 0 if it was done.
   * @throws ApplyFailedError if the API server refuses it, or what else `KubeClient.request` throws.
   */
  async annotate(pod: RelayPod, hash: string): Promise<number> {
    const { uid = '' } = pod.metadata;
    const waitMs = this.#contests.undone(uid, hash)?.waitMs ?? 0;
    if (waitMs > 0) return waitMs;
    try {
      await this.#client.request({
        method: 'PATCH',
        path: objectPath(podResource, pod),
        query: { fieldManager },
        contentType: 'application/merge-patch+json',
        body: { metadata: { uid, annotations: { [configHashAnnotation]: hash } } },
      });
      this.#contests.written(uid, hash);
    } catch (error) {
      const isGone = isKubeError(error, 404) || isKubeError(error, 409); // 409: another Pod has its name by now
      if (!isGone) throw writeError(error, 'annotate', pod);
    }
    return 0;
  }
}
