import type { Path, Problem } from '../lib/problem.ts';
import { socketAddressText } from './address.ts';
import type { UnnamedEndpoint } from './endpoint-config.ts';
import { freeNames } from './free-names.ts';
import { rangeProblem, type PortConfig, type RangeProblem } from './port-config.ts';
import type { EndpointConfig } from './relay-config.ts';

/** The endpoints, each with a unique name; those that only add a port to another endpoint become part of it. */
export function namedEndpoints(all: readonly UnnamedEndpoint[]): EndpointConfig[] {
  const endpoints = named(all.filter(({ rangeOf }) => rangeOf === undefined));
  const ports = new Map<string, PortConfig[]>(endpoints.map((endpoint) => [endpoint.name, [endpoint]]));
  for (const { rangeOf, endpoint, path, findings } of all) {
    if (rangeOf === undefined) continue;
    const { listen, remotes } = endpoint;
    const problem = rangeProblem(endpoint, rangeOf, ports.get(rangeOf));
    if (problem === undefined) ports.get(rangeOf)?.push({ listen, remotes });
    else findings.problems.push(problemAt(path, problem));
  }
  return endpoints.map((endpoint) => {
    const range = ports.get(endpoint.name)?.slice(1) ?? [];
    return { ...endpoint, ...(range.length > 0 && { range }) };
  });
}

function problemAt(path: Path, { key, ...problem }: RangeProblem): Problem {
  return { path: [...path, key], ...problem };
}

/** An endpoint without a name is named after its `listen`, with a number if that name is used already. */
function named(endpoints: readonly UnnamedEndpoint[]): EndpointConfig[] {
  const taken = new Set<string>();
  for (const { name, path, findings } of endpoints) {
    if (name === undefined) continue;
    if (taken.has(name)) findings.problems.push(duplicateName(name, path));
    taken.add(name);
  }
  const freeName = freeNames(taken, (wanted, number) => `${wanted}#${String(number)}`);
  return endpoints.map(({ name: own, endpoint }) => {
    const name = own ?? freeName(socketAddressText(endpoint.listen));
    taken.add(name);
    return { name, ...endpoint };
  });
}

function duplicateName(value: string, path: Path): Problem {
  return { path: [...path, 'name'], what: 'is used twice', value, remedy: 'give each its own name' };
}
