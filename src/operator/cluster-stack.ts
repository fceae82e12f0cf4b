import type { V1Service } from '@kubernetes/client-node';
import type { ClusterStack } from '../desired/service-families.ts';
import { fieldManager } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/object.ts';
import { objectPath } from '../kube/resource.ts';
import type { Clock } from '../lib/clock.ts';
import { serviceOf, serviceResource } from './kinds.ts';

/** What Services of the cluster can have, and why that could not be tried, if it could not. */
export type StackAnswer = { readonly stack: ClusterStack; readonly problem?: string };

/** How long an answer holds for every Service; a cluster may get its second family at any restart of the API server. */
const freshMs = 3_600_000;

/** How long an answer holds that is none: rights and webhooks are not there yet while the API server starts. */
const problemMs = 300_000;

/**
 * Finds out whether Services of the cluster can have both families: by a dry run that gives a Service its second one. What
 * the API server was started with can be read nowhere, in versions without ServiceCIDR, and there only with one more right.
 */
export class ClusterStackProbe {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  #answer: Promise<StackAnswer> | undefined;
  #untilMs = 0;

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /**
   * Tries it on `service`, which has one family, unless it was tried in the last hour.
   *
   * @throws KubeError and errors of the connection, if a later try may succeed.
   */
  async of(service: KubeObject): Promise<StackAnswer> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#answer === undefined || nowMs >= this.#untilMs) {
      this.#untilMs = nowMs + freshMs;
      this.#answer = this.#try(service); // shared by relays that come meanwhile
    }
    try {
      const answer = await this.#answer;
      if (answer.problem !== undefined) this.#untilMs = Math.min(this.#untilMs, nowMs + problemMs);
      return answer;
    } catch (error) {
      this.#answer = undefined;
      throw error;
    }
  }

  /** Drops the answer: the API server may be another one now. */
  forget(): void {
    this.#answer = undefined;
  }

  async #try(service: KubeObject): Promise<StackAnswer> {
    const [first = 'IPv4'] = serviceOf([service])?.spec?.ipFamilies ?? [];
    const ipFamilies = [first, first === 'IPv4' ? 'IPv6' : 'IPv4'];
    try {
      const answer = (await this.#client.request({
        method: 'PATCH',
        path: objectPath(serviceResource, service),
        query: { fieldManager, dryRun: 'All' },
        contentType: 'application/merge-patch+json',
        body: {
          metadata: { uid: service.metadata.uid },
          spec: { ipFamilyPolicy: 'PreferDualStack', ipFamilies },
        },
      })) as V1Service;
      return { stack: answer.spec?.ipFamilies?.length === 2 ? 'dual' : 'single' };
    } catch (error) {
      return answerOf(error);
    }
  }
}

function answerOf(error: unknown): StackAnswer {
  if (!(error instanceof KubeError)) throw error;
  if (error.causes.some(({ field = '' }) => field.startsWith('spec.ipFamil'))) return { stack: 'single' };
  // 400: an admission webhook does not support dry runs. 403: a policy refuses the update.
  if ([400, 403, 422].includes(error.status)) return { stack: 'single', problem: error.message };
  throw error;
}
