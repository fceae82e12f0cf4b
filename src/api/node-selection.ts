import type { NodeRequirement, PodTemplate } from './relay.ts';

/** The requirements on a node, all of which it must meet. */
type Selection = readonly NodeRequirement[];

/**
 * Whether one node could run Pods of both, because their requirements do not exclude each other. `nodeSelector` and the
 * required node affinity are considered; numeric comparisons (Gt, Lt) and taints are not, so in doubt the result is true.
 * Pure.
 */
export function maySelectOneNode(a: PodTemplate, b: PodTemplate): boolean {
  const others = selections(b);
  return selections(a).some((selection) => others.some((other) => isPossible([...selection, ...other])));
}

/** The alternative requirements of `podTemplate`: one for each term of its affinity, else one. */
function selections({ nodeSelector, affinity }: PodTemplate): Selection[] {
  const labels = Object.entries(nodeSelector).map(
    ([key, value]) => ({ key, operator: 'In', values: [value] }) as const,
  );
  const terms =
    affinity.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  if (terms.length === 0) return [labels];
  return terms.map(({ matchExpressions = [], matchFields = [] }) => {
    const fields = matchFields.map((field) => ({ ...field, key: `field ${field.key}` })); // no label has such a key
    return [...labels, ...matchExpressions, ...fields];
  });
}

function isPossible(selection: Selection): boolean {
  return [...Map.groupBy(selection, ({ key }) => key).values()].every(isPossibleOfLabel);
}

/** Whether one value of a label can meet all of `requirements`. */
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
