import { ownValue } from '../lib/record.ts';
import type { Labels, LabelSelector } from './types.ts';

/** Whether `labels` match `selector`; an empty selector matches everything. As in apimachinery's meta/v1. Pure. */
export function matchesSelector(labels: Labels, { matchLabels, matchExpressions }: LabelSelector): boolean {
  return (
    Object.entries(matchLabels ?? {}).every(([key, value]) => ownValue(labels, key) === value) &&
    (matchExpressions ?? []).every((expression) => matchesExpression(labels, expression))
  );
}

function matchesExpression(
  labels: Labels,
  { key, operator, values = [] }: NonNullable<LabelSelector['matchExpressions']>[number],
): boolean {
  const value = ownValue(labels, key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false; // an operator of a later version selects nothing rather than everything
  }
}
