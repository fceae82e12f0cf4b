import type { Backend } from '../api/relay.ts';
import { fields, flag, listOf, wholeNumber, type Findings, type Rule } from '../lib/document-rules.ts';
import type { Path } from '../lib/problem.ts';
import { maxWeight } from './balance.ts';

/** An item of `backends` as written. */
export type RealmBackend = {
  readonly weight: number;
  readonly remotes?: readonly number[];
  readonly refuse?: boolean;
};

const weight: Rule<number> = (value, path, findings) => {
  if (value !== 0) return wholeNumber(1, maxWeight)(value, path, findings);
  const remedy = `remove the backend to send it nothing, or give a weight from 1 to ${String(maxWeight)}`;
  findings.problems.push({ path, what: 'is out of range', value, remedy });
  return undefined;
};

const rules = { weight, remotes: listOf(wholeNumber(0, Number.MAX_SAFE_INTEGER)), refuse: flag };
const backendFields = fields(rules, ['weight']);

/** One backend: of remotes, or one that refuses. */
const backend: Rule<Backend> = (value, path, findings) => {
  const problems = findings.problems.length;
  const read = backendFields(value, path, findings);
  if (read?.weight === undefined || findings.problems.length > problems) return undefined;
  const { weight: share, remotes, refuse = false } = read;
  const fault = faultOf(refuse, remotes);
  if (fault !== undefined) findings.problems.push({ path: [...path, 'remotes'], ...fault });
  else return remotes === undefined ? { weight: share, refuse: true } : { weight: share, remotes };
  return undefined;
};

/** What is wrong with the `remotes` of a backend; undefined if nothing is. */
function faultOf(
  refuse: boolean,
  remotes: readonly number[] | undefined,
): { what: string; remedy: string } | undefined {
  if (refuse) {
    if (remotes === undefined) return undefined;
    return { what: 'cannot go with refuse: true', remedy: 'remove one of the two' };
  }
  if (remotes !== undefined && remotes.length > 0) return undefined;
  const remedy =
    'give the positions of remotes, 0 for remote and 1 for the first of extra_remotes, or write refuse: true';
  return { what: remotes === undefined ? 'is missing' : 'is empty', remedy };
}

/** The key `backends` of an endpoint; absent = one backend of all remotes. */
export const backendsRule: Rule<readonly Backend[]> = (value, path, findings) => {
  const read = listOf(backend)(value, path, findings);
  if (!Array.isArray(value) || value.length > 0) return read;
  findings.problems.push({ path, what: 'is empty', remedy: 'add a backend, or remove the key' });
  return undefined;
};

/** Reports positions in `backends` that are no remotes, that are listed twice, and remotes that no backend has. */
export function checkBackends(
  backends: readonly Backend[] = [],
  remotes: number,
  path: Path,
  { problems, warnings }: Findings,
): void {
  if (backends.length === 0) return; // reported by the rule, or absent
  const listed = new Set<number>();
  for (const [index, each] of backends.entries()) {
    if ('refuse' in each) continue;
    const own = new Set<number>();
    for (const [place, value] of each.remotes.entries()) {
      const at = { path: [...path, index, 'remotes', place], value };
      if (value >= remotes) problems.push({ ...at, ...noRemote(remotes) });
      else if (own.has(value))
        problems.push({ ...at, what: 'is listed twice', remedy: 'list each remote of a backend once' });
      own.add(value);
      listed.add(value);
    }
  }
  const idle = Array.from({ length: remotes }, (_, index) => index).filter((each) => !listed.has(each));
  if (idle.length === 0 || backends.every((each) => 'refuse' in each)) return; // an endpoint has to have a remote
  const what = `leaves out remotes ${idle.join(', ')}, which get no clients`;
  warnings.push({ path, what, remedy: 'list them in a backend, or remove them' });
}

function noRemote(remotes: number): { what: string; remedy: string } {
  const last = String(remotes - 1);
  const remedy = `give a position from 0 to ${last}: 0 is remote, 1 the first of extra_remotes`;
  return { what: `is not the position of a remote: the endpoint has ${String(remotes)}`, remedy };
}
