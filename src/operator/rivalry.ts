import type { Rivalry } from '../kube/rivals.ts';

/** Who undoes what the operator writes, where, and the remedy, for people. Stays the same as long as these do. Pure. */
export function rivalryText(rivalry: Rivalry): string {
  const { kind, metadata } = rivalry.object;
  const what = `${kind} "${metadata.name}"`;
  const deed = rivalry.isRecreated === true ? 'deletion' : 'repair';
  const damped = `the operator waits longer before each ${deed}, up to 5 minutes`;
  return `${rivalText(rivalry, what)}: ${damped}; ${remedy(rivalry)}.`;
}

function rivalText(rivalry: Rivalry, what: string): string {
  const { managers, fields, isOwnKind, isRecreated } = rivalry;
  if (isRecreated === true) return recreatedText(rivalry, what);
  if (isOwnKind) return `Another installation of this operator writes ${what}, too, and wants something else`;
  if (fields.length === 0 && managers.length === 0) return `${what} is deleted or changed again and again`;
  const where = fields.length === 0 ? '' : ` (${fields.join(', ')})`;
  const who = managers.length === 0 ? 'Somebody' : `Field manager ${managers.join(', ')}`;
  return `${who} changes ${what} again and again${where}`;
}

function recreatedText({ managers, fields }: Rivalry, what: string): string {
  const who = managers.length === 0 ? '' : ` by field manager ${managers.join(', ')}`;
  return fields.length === 0
    ? `${what} is created again and again${who}, and is not wanted`
    : `${what} is created again and again${who}, and never gets what is wanted (${fields.join(', ')})`;
}

function remedy({ object, fields, isOwnKind, isRecreated }: Rivalry): string {
  if (isRecreated === true && fields.length > 0)
    return 'exempt it from the admission policy or webhook that changes it, or set service.recreatePolicy to Never';
  if (isOwnKind)
    return 'remove one of the two, or give each namespaces of its own (--namespace, watchNamespaces of the chart)';
  if (object.kind === 'Deployment' && fields.includes('.spec.replicas'))
    return `if it is an autoscaler, remove it and set spec.autoscaling, or let it scale RealmRelay "${object.metadata.name}" instead of the Deployment`;
  return 'stop it, or set spec.paused to true while it has to work';
}
