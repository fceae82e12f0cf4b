import type { Relay } from '../api/relay.ts';
import { desiredObjects } from '../desired/desired-objects.ts';
import { service, type ObservedService } from '../desired/service.ts';
import { ResourceConflictError } from '../kube/apply-errors.ts';
import type { ApplyContext, Observed, WantedObject } from './apply-context.ts';
import { serviceOf } from './kinds.ts';

/** The wanted objects of a relay, in the order in which they are applied, and the live Service if it is ours. */
export type WantedObjects = {
  readonly objects: readonly WantedObject[];
  readonly liveService: ObservedService | undefined;
};

/**
 * The objects that `relay` wants, each with what exists under its name. All are observed at once: for a new relay, that is a
 * request to the API server each. The wanted Service is one that the live Service can become.
 *
 * @throws the error of reading the live Service, unless it belongs to someone else; the errors of the others reject
 *   `WantedObject.observed`, so that the objects before them are applied.
 */
export async function wantedObjects(
  relay: Relay,
  { cluster, platform }: ApplyContext,
): Promise<WantedObjects> {
  const objects = desiredObjects(relay, platform).map((object) => {
    const observed = cluster.observe(object);
    observed.catch(() => undefined); // handled when the object is applied
    return { object, observed };
  });
  const live = objects.find(({ object }) => object.kind === 'Service');
  const liveService = live === undefined ? undefined : await observedService(live.observed);
  if (liveService === undefined) return { objects, liveService };
  const fitting = service(relay, liveService);
  return {
    objects: objects.map((wanted) => (wanted === live ? { ...live, object: fitting } : wanted)),
    liveService,
  };
}

async function observedService(observed: Observed): Promise<ObservedService | undefined> {
  const live = await observed.catch(noneIfForeign);
  const { ipFamilies, ipFamilyPolicy, ...spec } = serviceOf(live === undefined ? [] : [live])?.spec ?? {};
  if (ipFamilies === undefined || ipFamilyPolicy === undefined) return undefined;
  return { ...spec, ipFamilies, ipFamilyPolicy } as ObservedService;
}

/** That the Service belongs to someone else is reported when it is applied, after the objects before it. */
function noneIfForeign(error: unknown): undefined {
  if (!(error instanceof ResourceConflictError)) throw error;
}
