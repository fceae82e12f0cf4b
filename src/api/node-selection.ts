import type { NodeRequirement, PodTemplate } from './relay.ts';

/** What a node must be like, all of it. */
type Selection = readonly NodeRequirement[];

/**
 * Whether a node may be there that takes Pods of both: what the one requires of it and what the other requires do not
 * exclude each other. Read are `nodeSelector` and the required node affinity; how numbers compare (Gt, Lt) and what taints
 * keep away is not, so that the answer is rather yes than no. Pure.
 */
export function maySelectOneNode(a: PodTemplate, b: PodTemplate): boolean {
  const others = selections(b);
  return selections(a).some((selection) => others.some((other) => isPossible([...selection, ...other])));
}

/** The ways to be a node of `podTemplate`: one for each term of its affinity, else one. */
function selections({ nodeSelector, affinity }: PodTemplate): Selection[] {
  const labels = Object.entries(nodeSelector).map(
    ([key, value]) => ({ key, operator: 'In', values: [value] }) as const,
  );
  const terms =
    affinity.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  if (terms.length === 0) return [labels];
  return terms.map(({ matchExpressions = [], matchFields = [] }) => {
    const fields = matchFields.map((field) => ({ ...field, key: `field ${field.key}` })); // no label is called so
    return [...labels, ...matchExpressions, ...fields];
  });
}

function isPossible(selection: Selection): boolean {
  return [...Map.groupBy(selection, ({ key }) => key).values()].every(isPossibleOfLabel);
}

/** Whether one label can be as all of `requirements` want it. */
function isPossibleOfLabel(requirements: Selection): boolean {
  const valuesOf = (wanted: string): (readonly string[])[] =>
    requirements.filter(({ operator }) => operator === wanted).map(({ values = [] }) => values);
  const [first, ...others] = valuesOf('In');
  if (requirements.some(({ operator }) => operator === 'DoesNotExist'))
    return requirements.every(({ operator }) => operator === 'DoesNotExist' || operator === 'NotIn');
  if (first === undefined) return true;
  const excluded = valuesOf('NotIn').flat();
  return first.some((value) => others.every((values) => values.includes(value)) && !excluded.includes(value));
}
