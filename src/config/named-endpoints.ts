import type { Path, Problem } from '../lib/problem.ts';
import { socketAddressText } from './address.ts';
import type { UnnamedEndpoint } from './endpoint-config.ts';
import { freeNames } from './free-names.ts';
import { portsOf, rangeProblem, type PortConfig, type RangeProblem } from './port-config.ts';
import type { EndpointConfig } from './relay-config.ts';

/** The endpoints, each with a unique name; those that only add a port to another endpoint become part of it. */
export function namedEndpoints(all: readonly UnnamedEndpoint[]): EndpointConfig[] {
  const endpoints = named(all.filter(({ rangeOf }) => rangeOf === undefined));
  const further = all.filter(({ rangeOf }) => rangeOf !== undefined);
  if (further.length === 0) return endpoints;
  const ranges = new Map(endpoints.map((endpoint) => [endpoint.name, rangeFrom(endpoint)]));
  for (const { rangeOf = '', endpoint, path, findings } of further) {
    const { listen, remotes } = endpoint;
    const range = ranges.get(rangeOf);
    const problem = rangeProblem(endpoint, rangeOf, range);
    if (problem !== undefined) findings.problems.push(problemAt(path, problem));
    range?.ports.add(listen.port);
    range?.further.push({ listen, remotes });
  }
  return endpoints.map((endpoint) => {
    const { further = [] } = ranges.get(endpoint.name) ?? {};
    return { ...endpoint, ...(further.length > 0 && { range: further }) };
  });
}

/** The ports of an endpoint so far; a set, because there may be thousands. */
type GrowingRange = {
  readonly first: PortConfig;
  readonly ports: Set<number>;
  readonly further: PortConfig[];
};

function rangeFrom(first: EndpointConfig): GrowingRange {
  const ports = portsOf(first);
  return { first, ports: new Set(ports.map(({ listen }) => listen.port)), further: ports.slice(1) };
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
