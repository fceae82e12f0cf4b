import type { Relay } from '../api/relay.ts';
import { desiredObjects } from '../desired/desired-objects.ts';
import { lacksPreferredFamily } from '../desired/service-families.ts';
import { service, type ObservedService } from '../desired/service.ts';
import { ResourceConflictError } from '../kube/apply-errors.ts';
import { isKubeError } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/object.ts';
import type { ApplyContext, WantedObject } from './apply-context.ts';
import type { StackAnswer } from './cluster-stack.ts';
import { observedService } from './service-recreation.ts';

/** The wanted objects of a relay, in the order in which they are applied, and the live Service if it is ours. */
export type WantedObjects = {
  readonly objects: readonly WantedObject[];
  readonly liveService: KubeObject | undefined;
  /** Why the Service may lack a family that it could have, and how to give it that; '' if it does not. */
  readonly familyNote: string;
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
  const liveObject = await live?.observed.catch(noneIfForeign);
  const liveService = observedService(liveObject);
  if (liveObject === undefined || liveService === undefined)
    return { objects, liveService: undefined, familyNote: '' };
  const { stack, problem }: Partial<StackAnswer> = lacksPreferredFamily(relay, liveService)
    ? await cluster.stackOf(liveObject)
    : {};
  const fitting = service(relay, liveService, stack);
  return {
    objects: objects.map((wanted) => (wanted === live ? { ...live, object: fitting } : wanted)),
    liveService: liveObject,
    familyNote: problem === undefined ? '' : familyNote(liveObject, liveService, problem),
  };
}

function familyNote(
  { metadata: { name, namespace = '' } }: KubeObject,
  { ipFamilies: [has = 'IPv4'] }: ObservedService,
  problem: string,
): string {
  const other = has === 'IPv4' ? 'IPv6' : 'IPv4';
  const patch = `{"spec":{"ipFamilies":["${has}","${other}"]}}`;
  return `Service "${name}" has ${has} alone, and the operator cannot try whether the cluster has ${other} by now (${problem}): if it has, run kubectl patch service ${name} -n ${namespace} --type=merge -p '${patch}'`;
}

/** That the Service belongs to someone else, or may not be read, is reported when it is applied, after the objects before it. */
function noneIfForeign(error: unknown): undefined {
  if (!(error instanceof ResourceConflictError) && !isKubeError(error, 403)) throw error;
}
