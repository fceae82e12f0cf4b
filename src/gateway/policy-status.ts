import { datedConditions, type Finding } from '../api/dated-conditions.ts';
import { maxAncestors } from '../api/schema/traffic-policy.ts';
import { sameJson } from '../lib/same-json.ts';
import { gatewayPolicies, isSameTarget, type PolicyVerdict, routePolicies, targetsOf } from './policies.ts';
import {
  controllerName,
  type Gateway,
  type Lookup,
  type PolicyAncestorStatus,
  type PolicyTarget,
  type Route,
  type TrafficPolicy,
} from './types.ts';

/** Where the targets of a policy are. */
export type PolicySurroundings = {
  /** The Gateway at `NAMESPACE/NAME` if this controller serves it. */
  readonly gateway: (key: string) => Gateway | undefined;
  /** The route of this kind at `NAMESPACE/NAME`. */
  readonly route: (kind: string, key: string) => Route | undefined;
};

/**
 * `status.ancestors` of `policy`: the entries of other controllers as they are, then ours, one for each target, as many as there
 * is room for. Pure.
 */
export function policyAncestors(
  policy: TrafficPolicy,
  surroundings: PolicySurroundings,
  lookup: Lookup,
  now: string,
): PolicyAncestorStatus[] {
  const { metadata, status: { ancestors: previous = [] } = {} } = policy;
  const { namespace, generation = 0 } = metadata;
  const others = previous.filter((each) => each.controllerName !== controllerName);
  const ours = targetsOf(policy).map((target) => {
    const ancestorRef = { ...target, namespace };
    const before = previous.find(
      (each) => each.controllerName === controllerName && sameJson(each.ancestorRef, ancestorRef),
    );
    const dating = { previous: before?.conditions ?? [], generation, now };
    const { accepted } = policyVerdict(policy, target, surroundings, lookup);
    return { ancestorRef, controllerName, conditions: datedConditions([accepted], dating) };
  });
  return [...others, ...ours].slice(0, maxAncestors);
}

/** Whether `ancestors` is what the status of `policy` has. Pure. */
export function hasAncestors({ status }: TrafficPolicy, ancestors: readonly PolicyAncestorStatus[]): boolean {
  return sameJson(status?.ancestors ?? [], ancestors);
}

/** Whether `policy` is in effect on `target`. Pure. */
export function policyVerdict(
  policy: TrafficPolicy,
  target: PolicyTarget,
  surroundings: PolicySurroundings,
  lookup: Lookup,
): Omit<PolicyVerdict, 'policy' | 'target'> {
  const { namespace, name } = policy.metadata;
  const own = verdicts(`${namespace}/${target.name}`, target, surroundings, lookup)?.find(
    (each) =>
      each.policy.metadata.namespace === namespace &&
      each.policy.metadata.name === name &&
      isSameTarget(each.target, target),
  );
  return own ?? { accepted: notFound(namespace, target), problems: [], warnings: [] };
}

function verdicts(
  key: string,
  { kind }: PolicyTarget,
  { gateway, route }: PolicySurroundings,
  lookup: Lookup,
): readonly PolicyVerdict[] | undefined {
  if (kind === 'Gateway') {
    const found = gateway(key);
    return found && gatewayPolicies(found, lookup).verdicts;
  }
  const found = route(kind, key);
  return found && routePolicies(found, lookup).verdicts;
}

function notFound(namespace: string, { kind, name }: PolicyTarget): Finding {
  const served = kind === 'Gateway' ? ', or its GatewayClass is of another controller' : '';
  const message = `${kind} "${namespace}/${name}" does not exist${served}: correct targetRefs, whose objects are in the namespace of the policy.`;
  return { type: 'Accepted', status: 'False', reason: 'TargetNotFound', message };
}
