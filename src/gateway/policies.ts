import type { Finding } from '../api/dated-conditions.ts';
import { maxServicePorts } from '../api/schema/endpoint.ts';
import { policyKind } from '../api/schema/traffic-policy.ts';
import { type Problem, problemText } from '../lib/problem.ts';
import { isRecord } from '../lib/record.ts';
import { portRange, unevenSettings } from './listener-ports.ts';
import { checkedPolicy, type PolicySettings } from './policy-rules.ts';
import { byPrecedence } from './precedence.ts';
import type { Gateway, Listener, Lookup, PolicyTarget, Route, TrafficPolicy } from './types.ts';

/** What a policy comes to on one of its targets. */
export type PolicyVerdict = {
  readonly policy: TrafficPolicy;
  readonly target: PolicyTarget;
  readonly accepted: Finding;
  /** Why it is not valid, field by field. */
  readonly problems: readonly Problem[];
  /** Fields that are valid and have no effect. */
  readonly warnings: readonly Problem[];
};

/** What the policies of a Gateway come to. */
export type GatewayPolicies = {
  readonly verdicts: readonly PolicyVerdict[];
  /** What is in effect on the listener of this name, that of its Gateway included. */
  readonly ofListener: (name: string) => PolicySettings;
};

/** What the policies of a route come to. */
export type RoutePolicies = {
  readonly verdicts: readonly PolicyVerdict[];
  readonly settings: PolicySettings;
};

/** The targets that `policy` names, each once, as far as they can be read. */
export function targetsOf({ spec }: TrafficPolicy): PolicyTarget[] {
  const refs = isRecord(spec) && Array.isArray(spec['targetRefs']) ? (spec['targetRefs'] as unknown[]) : [];
  const targets = refs.flatMap((ref) => {
    if (!isRecord(ref)) return [];
    const { group, kind, name, sectionName } = ref;
    if (typeof group !== 'string' || typeof kind !== 'string' || typeof name !== 'string') return [];
    return [{ group, kind, name, ...(typeof sectionName === 'string' && { sectionName }) }];
  });
  return [...new Map(targets.map((target) => [targetKey(target), target])).values()];
}

/** Whether both are the same target of one policy. */
export function isSameTarget(a: PolicyTarget, b: PolicyTarget): boolean {
  return targetKey(a) === targetKey(b);
}

function targetKey({ group, kind, name, sectionName = '' }: PolicyTarget): string {
  return `${group}/${kind}/${name}/${sectionName}`;
}

/** Judges the policies of `gateway` and of its listeners; the settings of a listener win over those of the Gateway. Pure. */
export function gatewayPolicies({ metadata, spec }: Gateway, lookup: Lookup): GatewayPolicies {
  const { namespace, name } = metadata;
  const policies = lookup.policies('Gateway', namespace, name);
  const found = judged(policies, { kind: 'Gateway', name }, (policy, target, before) => {
    const { sectionName } = target;
    const meant = spec.listeners.filter((each) => (sectionName ?? each.name) === each.name);
    if (meant.length === 0) {
      const message = `Gateway "${namespace}/${name}" has no listener "${sectionName ?? ''}".`;
      return { ...nothing, reason: 'TargetNotFound', message };
    }
    const decision = policyDecision(policy, target, meant);
    if (decision.reason !== undefined) return decision;
    const after = new Map(before).set(sectionName ?? '', decision.settings);
    const ports = spec.listeners.reduce(
      (sum, each) => sum + portCount(each, onListener(after, each.name)),
      0,
    );
    const isTooMany = decision.settings.endPort !== undefined && ports > maxServicePorts;
    return isTooMany ? tooManyPorts(decision.settings, ports) : decision;
  });
  const { verdicts, settings } = evened(found, spec.listeners);
  return { verdicts, ofListener: (listener) => onListener(settings, listener) };
}

/**
 * `judged` without the policies of single listeners that set what listeners of one port have to share. A policy of the whole Gateway
 * never does. Those that are left may differ where a range has become shorter, so it goes on until none does.
 */
function evened({ verdicts, settings }: Judged, listeners: readonly Listener[]): Judged {
  const uneven = unevenSettings(listeners, (name) => onListener(settings, name)).filter(
    ({ listener, field }) => settings.get(listener)?.network?.[field] !== undefined,
  );
  if (uneven.length === 0) return { verdicts, settings };
  const problemsOf = Map.groupBy(uneven, ({ listener }) => listener);
  const rest = new Map(settings);
  for (const listener of problemsOf.keys()) rest.set(listener, restrictions(settings.get(listener)));
  const judged = verdicts.map((verdict) => {
    const problems = problemsOf.get(verdict.target.sectionName ?? '')?.map(({ problem }) => problem);
    if (problems === undefined || verdict.accepted.status !== 'True') return verdict;
    return { ...verdict, problems, accepted: acceptance({ reason: 'Invalid', message: texts(problems) }) };
  });
  return evened({ verdicts: judged, settings: rest }, listeners);
}

/** Judges the policies of `route`. Pure. */
export function routePolicies({ kind, metadata: { namespace, name } }: Route, lookup: Lookup): RoutePolicies {
  const policies = lookup.policies(kind, namespace, name);
  const { verdicts, settings } = judged(policies, { kind, name }, (policy, target) =>
    policyDecision(policy, target, []),
  );
  return { verdicts, settings: settings.get('') ?? {} };
}

/** `chosen` over `defaults`, field by field, those of the network and of `acceptProxy` one by one. */
export function settingsOver(defaults: PolicySettings, chosen: PolicySettings): PolicySettings {
  const [before, after] = [defaults.network, chosen.network];
  const acceptProxy = { ...before?.acceptProxy, ...after?.acceptProxy };
  const network = { ...before, ...after, ...(Object.keys(acceptProxy).length > 0 && { acceptProxy }) };
  return { ...defaults, ...chosen, ...(Object.keys(network).length > 0 && { network }) };
}

/** What is in effect by name of the listener; that of the Gateway has the name ''. */
type SettingsBySection = ReadonlyMap<string, PolicySettings>;

/** `settings` are in effect, whether the policy is accepted or, with a `reason`, not. */
type Decision = Pick<PolicyVerdict, 'problems' | 'warnings'> & {
  readonly reason?: string;
  readonly message: string;
  readonly settings: PolicySettings;
};

const nothing = { settings: {}, problems: [], warnings: [] } as const;

type Judged = { readonly verdicts: readonly PolicyVerdict[]; readonly settings: SettingsBySection };

type Decide = (policy: TrafficPolicy, target: PolicyTarget, before: SettingsBySection) => Decision;

/** Of several policies with one target, the oldest that can be in effect is, then by `NAMESPACE/NAME` (GEP-713). */
function judged(
  policies: readonly TrafficPolicy[],
  { kind, name }: Pick<PolicyTarget, 'kind' | 'name'>,
  decide: Decide,
): Judged {
  const settings = new Map<string, PolicySettings>();
  const winners = new Map<string, TrafficPolicy>();
  const verdicts = byPrecedence(policies).flatMap((policy) =>
    targetsOf(policy)
      .filter((target) => target.kind === kind && target.name === name)
      .map((target) => {
        const section = target.sectionName ?? '';
        const winner = winners.get(section);
        if (winner !== undefined)
          return { ...nothing, policy, target, accepted: acceptance(conflicted(winner)) };
        const decision = decide(policy, target, settings);
        if (decision.reason === undefined) winners.set(section, policy);
        // What an older policy that is not accepted keeps closed, a valid one may decide about.
        if (decision.reason === undefined || !settings.has(section)) settings.set(section, decision.settings);
        const { problems, warnings } = decision;
        return { policy, target, accepted: acceptance(decision), problems, warnings };
      }),
  );
  return { verdicts, settings };
}

function policyDecision(
  policy: TrafficPolicy,
  target: PolicyTarget,
  listeners: readonly Listener[],
): Decision {
  const { settings, problems, warnings } = checkedPolicy(policy, target, listeners);
  if (settings === undefined || problems.length > 0)
    return {
      reason: 'Invalid',
      message: texts(problems),
      settings: restrictions(settings),
      problems,
      warnings,
    };
  const notes = warnings.length === 0 ? '' : ` ${texts(warnings)}`;
  return { message: `The policy is in effect.${notes}`, settings, problems, warnings };
}

/** A mistake in one field must not open a port to everybody. */
function restrictions({ network }: PolicySettings = {}): PolicySettings {
  const { allowedSources } = network ?? {};
  return allowedSources === undefined ? {} : { network: { allowedSources } };
}

function tooManyPorts(settings: PolicySettings, ports: number): Decision {
  const problem = {
    path: ['spec', 'endPort'],
    what: `gives the Gateway ${String(ports)} ports, and it may have ${String(maxServicePorts)}, one port of its Service each`,
    value: settings.endPort,
    remedy: 'use a smaller range, or another Gateway for a part of it',
  };
  const message = problemText(problem);
  const kept = restrictions(settings);
  return { reason: 'UnsupportedValue', message, settings: kept, problems: [problem], warnings: [] };
}

function acceptance({ reason = 'Accepted', message }: Pick<Decision, 'reason' | 'message'>): Finding {
  return { type: 'Accepted', status: reason === 'Accepted' ? 'True' : 'False', reason, message };
}

function conflicted({ metadata: { namespace, name } }: TrafficPolicy): Decision {
  const message = `${policyKind} "${namespace}/${name}" has the same target and is older, so that one is in effect: merge the two, or remove one.`;
  return { ...nothing, reason: 'Conflicted', message };
}

function onListener(settings: SettingsBySection, name: string): PolicySettings {
  return settingsOver(settings.get('') ?? {}, settings.get(name) ?? {});
}

function portCount(listener: Listener, settings: PolicySettings): number {
  const { first, last } = portRange(listener, settings);
  return last - first + 1;
}

function texts(problems: readonly Problem[]): string {
  return problems.map(problemText).join('; ');
}
