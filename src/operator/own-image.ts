import type { V1Pod } from '@kubernetes/client-node';
import type { KubeClient } from '../kube/client.ts';
import { isKubeError } from '../kube/kube-error.ts';
import type { Platform } from '../desired/platform.ts';
import { collectionPath } from '../kube/resource.ts';
import { backoffMs, type Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import { sleep } from '../lib/sleep.ts';
import type { Logger } from '../telemetry/logger.ts';
import { podResource } from './pods.ts';

const backoff: Backoff = { initialMs: 500, maxMs: 30_000 };

/** The Pod that this operator runs in. */
export type OwnPod = { readonly namespace: string; readonly name: string };

/** What reading the own Pod works with. */
export type OwnPodContext = {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the wait for an API server that does not answer. */
  readonly signal: AbortSignal;
};

/**
 * A reader of `platform`. With `ownPod`, relays get the image of that Pod, read at the first call: whoever replaces the image
 * of the operator, as kustomize does, has replaced that of relays. It rejects with the reason of the signal.
 */
export function platformReader(
  { platform, ownPod }: { readonly platform: Platform; readonly ownPod?: OwnPod | undefined },
  context: OwnPodContext,
): () => Promise<Platform> {
  let known: Promise<Platform> | undefined;
  const read = async (): Promise<Platform> => {
    const image = ownPod && (await ownImage(ownPod, context));
    return image === undefined ? platform : { ...platform, relayImage: image };
  };
  return () => (known ??= read());
}

/**
 * Retries until the API server answers, since Pods must not get another image by chance.
 *
 * @returns undefined if the operator may not list Pods there, or there is no such Pod.
 */
async function ownImage(
  { namespace, name }: OwnPod,
  { client, clock, log, signal }: OwnPodContext,
): Promise<string | undefined> {
  const path = collectionPath(podResource, namespace);
  const query = { fieldSelector: `metadata.name=${name}` };
  const unknown = 'the image of the own Pod is unknown, relays get the default one';
  for (let failures = 1; ; failures += 1) {
    try {
      const { items } = (await client.request({ method: 'GET', path, query, signal })) as { items?: V1Pod[] };
      const image = items?.[0]?.spec?.containers[0]?.image;
      if (image === undefined) log.warn({ namespace, name }, unknown);
      return image;
    } catch (error) {
      signal.throwIfAborted();
      log.warn(
        { err: asError(error) },
        isKubeError(error, 403) ? unknown : 'failed to read own Pod, retrying',
      );
      if (isKubeError(error, 403)) return undefined;
      await sleep(clock, backoffMs(backoff, failures, Math.random()), signal);
    }
  }
}
