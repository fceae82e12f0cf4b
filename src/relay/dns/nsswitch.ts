/** A service of the system that resolves names, and after which outcomes the next one is not asked. */
export type HostService = {
  /** In lower case: `files`, `dns`, `mymachines` … */
  readonly name: string;
  readonly returnsOn: ReadonlySet<HostStatus>;
};

/** The outcomes of a service. */
export type HostStatus = 'success' | 'notfound' | 'unavail' | 'tryagain';

const statuses: readonly HostStatus[] = ['success', 'notfound', 'unavail', 'tryagain'];

/** What a machine without the file means: containers from scratch, and those with musl. */
const defaults = 'files dns';

/**
 * The services of the line `hosts:` of an nsswitch.conf, in their order.
 *
 * Source: nsswitch.conf(5). `[!UNAVAIL=return]` stands for all outcomes but that one; `merge` counts as `return`.
 */
export function hostServices(text: string): HostService[] {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
  const line = lines.findLast((each) => /^hosts\s*:/i.test(each)) ?? '';
  const written = line.slice(line.indexOf(':') + 1).trim();
  const services: { name: string; returnsOn: Set<HostStatus> }[] = [];
  const parts = (written === '' ? defaults : written).toLowerCase().split(/[[\]]/);
  for (const [index, part] of parts.entries()) {
    const words = part.split(/\s+/).filter((word) => word !== '');
    if (index % 2 === 0) services.push(...words.map((name) => ({ name, returnsOn: new Set(successful) })));
    else for (const word of words) apply(word, services.at(-1)?.returnsOn);
  }
  return services;
}

const successful: readonly HostStatus[] = ['success'];

/** @param criterion  from between the brackets: `notfound=return`, `!unavail=return`. */
function apply(criterion: string, returnsOn: Set<HostStatus> | undefined): void {
  const [condition = '', action] = criterion.split('=', 2);
  for (const each of statuses) {
    const isMeant = condition.startsWith('!') ? each !== condition.slice(1) : each === condition;
    if (isMeant && action === 'continue') returnsOn?.delete(each);
    else if (isMeant) returnsOn?.add(each);
  }
}
