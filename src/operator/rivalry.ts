import type { Rivalry } from '../kube/rivals.ts';

/** Who undoes what the operator writes, where, and the remedy, for people. Stays the same as long as these do. Pure. */
export function rivalryText(rivalry: Rivalry): string {
  const { kind, metadata } = rivalry.object;
  const what = `${kind} "${metadata.name}"`;
  const damped = 'the operator waits longer before each repair, up to 5 minutes';
  return `${rivalText(rivalry, what)}: ${damped}; ${remedy(rivalry)}.`;
}

function rivalText({ managers, fields, isOwnKind }: Rivalry, what: string): string {
  if (isOwnKind) return `Another installation of this operator writes ${what}, too, and wants something else`;
  if (fields.length === 0 && managers.length === 0) return `${what} is deleted or changed again and again`;
  const where = fields.length === 0 ? '' : ` (${fields.join(', ')})`;
  const who = managers.length === 0 ? 'Somebody' : `Field manager ${managers.join(', ')}`;
  return `${who} changes ${what} again and again${where}`;
}

function remedy({ object, fields, isOwnKind }: Rivalry): string {
  if (isOwnKind)
    return 'remove one of the two, or give each namespaces of its own (--namespace, watchNamespaces of the chart)';
  if (object.kind === 'Deployment' && fields.includes('.spec.replicas'))
    return `if it is an autoscaler, remove it and set spec.autoscaling, or let it scale RealmRelay "${object.metadata.name}" instead of the Deployment`;
  return 'stop it, or set spec.paused to true while it has to work';
}
