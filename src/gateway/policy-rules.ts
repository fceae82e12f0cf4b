import { rangeRules } from '../api/schema/endpoint.ts';
import { isFieldOf, type TrafficPolicySpec } from '../api/schema/traffic-policy.ts';
import { parseTrafficPolicy, policyProblems } from '../api/traffic-policy.ts';
import { memoize } from '../lib/memoize.ts';
import type { Problem } from '../lib/problem.ts';
import type { Listener, PolicyTarget, TrafficPolicy } from './types.ts';

/** What a policy sets on one target. */
export type PolicySettings = Omit<TrafficPolicySpec, 'targetRefs'>;

/** What `policy` sets on `target`, and what is wrong with it there. */
export type CheckedPolicy = {
  /** Absent if a field is not valid by the schema. */
  readonly settings?: PolicySettings;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
};

/**
 * Holds `policy` against the rules for `target`. Pure.
 *
 * @param listeners  those that the target stands for; none of a route.
 */
export function checkedPolicy(
  policy: TrafficPolicy,
  target: PolicyTarget,
  listeners: readonly Listener[],
): CheckedPolicy {
  const { spec, problems } = parsed(policy);
  if (spec === undefined) return { problems, warnings: [] };
  const { targetRefs: _targets, ...settings } = spec;
  const { problems: ofFields, warnings } = policyProblems(
    spec,
    protocolsOf(target, listeners),
    nameOf(target),
  );
  const all = [
    ...sectionProblems(target),
    ...misplacedFields(settings, target),
    ...rangeProblems(settings, listeners),
    ...ofFields,
  ];
  return { settings, problems: all, warnings };
}

/** Once for each version of a policy: each turn of its targets asks for it. */
const parsed = memoize((policy: TrafficPolicy) => parseTrafficPolicy(policy));

function protocolsOf(
  { kind }: PolicyTarget,
  listeners: readonly Listener[],
): { readonly tcp: boolean; readonly udp: boolean } {
  const udp = kind === 'UDPRoute' || listeners.some(({ protocol }) => protocol === 'UDP');
  const tcp =
    kind !== 'UDPRoute' && (kind !== 'Gateway' || listeners.some(({ protocol }) => protocol !== 'UDP'));
  return { tcp, udp };
}

function nameOf({ kind, name, sectionName }: PolicyTarget): string {
  return sectionName === undefined ? `${kind} "${name}"` : `listener "${sectionName}"`;
}

function sectionProblems({ kind, sectionName }: PolicyTarget): Problem[] {
  if (kind === 'Gateway' || sectionName === undefined) return [];
  const what = `names a section of a ${kind}, which has none`;
  return [{ path: ['spec', 'targetRefs', 'sectionName'], what, value: sectionName, remedy: 'remove it' }];
}

/** Fields that have no effect on a target of this kind. */
function misplacedFields({ network, ...fields }: PolicySettings, { kind }: PolicyTarget): Problem[] {
  const given = [
    ...Object.entries(fields).map(([name, value]) => [[name], value] as const),
    ...Object.entries(network ?? {}).map(([name, value]) => [['network', name], value] as const),
  ];
  const remedy =
    kind === 'Gateway'
      ? 'remove it, or target a route'
      : 'remove it, or target a Gateway or one of its listeners';
  return given
    .filter(([path]) => !isFieldOf(path.join('.'), kind))
    .map(([path, value]) => ({ path: ['spec', ...path], what: `is not for a ${kind}`, value, remedy }));
}

function rangeProblems({ endPort }: PolicySettings, listeners: readonly Listener[]): Problem[] {
  if (endPort === undefined) return [];
  return listeners.flatMap(({ name, port }) => {
    const broken = rangeRules.find(({ holds }) => !holds(port, endPort));
    if (broken === undefined) return [];
    const what = `is not valid for listener "${name}" with port ${String(port)}`;
    return [{ path: ['spec', 'endPort'], what, value: endPort, remedy: broken.remedy }];
  });
}
