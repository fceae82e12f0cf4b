import { isIP, isIPv6 } from 'node:net';
import type { Problem } from '../lib/problem.ts';
import { addressIn, characterRemedy, templateRemedy } from './text-remedies.ts';
import { booleanRemedy, listRemedy, numberRemedy, quantityRemedy, rangeRemedy } from './value-remedies.ts';

/** What a person wrote in place of an address and a port. */
type Written = { readonly host?: string; readonly port?: number; readonly endPort?: number };

type Refinement = (problem: Problem) => string | undefined;

/**
 * `problem` of a field, with a remedy that corrects the very value if it can be recognized: an address with its port, a range
 * of ports, a number in quotes.
 */
export function precise(problem: Problem): Problem {
  for (const refine of refinements) {
    const remedy = refine(problem);
    if (remedy !== undefined) return { ...problem, remedy };
  }
  return problem;
}

const refinements: readonly Refinement[] = [
  templateRemedy,
  characterRemedy,
  ({ path, value }) => (path.at(-1) === 'listen' ? asMapping(value) : undefined),
  ({ path, value }) => (isItemOf(path, 'remotes') ? asMapping(value) : undefined),
  ({ path, value }) => {
    const remote = path.at(-1) === 'remotes' ? asMapping(value) : undefined;
    return remote === undefined ? undefined : `${remote.replace('write ', 'write [')}]`;
  },
  ({ path, value }) => (path.at(-1) === 'address' ? asAddress(value) : undefined),
  ({ path, value }) => (['port', 'endPort'].includes(String(path.at(-1))) ? asPort(value) : undefined),
  rangeRemedy,
  numberRemedy,
  quantityRemedy,
  booleanRemedy,
  listRemedy,
  ({ what, value, remedy }) =>
    what === 'is not one of the allowed values' && typeof value === 'boolean'
      ? `${remedy}, in quotes: on, off, yes and no are true and false in YAML`
      : undefined,
  ({ path, value }) =>
    path.includes('resources') && typeof value === 'number' && !Number.isInteger(value)
      ? `write ${String(Math.ceil(value * 1000))}m`
      : undefined,
];

function isItemOf(path: Problem['path'], list: string): boolean {
  return path.at(-2) === list && typeof path.at(-1) === 'number';
}

/** For `[::]:443` in place of `{address: "::", port: 443}`. */
function asMapping(value: unknown): string | undefined {
  if (typeof value === 'number') return `write {port: ${String(value)}}`;
  const written = typeof value === 'string' ? (addressAndPort(value) ?? ports(value)) : undefined;
  return written?.port === undefined ? undefined : `write ${mapping(written)}`;
}

function asAddress(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (/^(?:\*|any|all)$/i.test(value))
    return 'write "::" for every address of both families, or 0.0.0.0 for IPv4';
  const written = addressAndPort(value);
  if (written?.host === undefined) return addressIn(value);
  if (written.port !== undefined) return `put ${String(written.port)} into port: ${mapping(written)}`;
  if (written.host.includes('%')) return addressIn(written.host);
  return `write ${quoted(written.host)} without ${value.startsWith('[') ? 'brackets' : 'what is around it'}`;
}

/** For `8000-8010`, `"443"` and `192.0.2.1:443` in place of a number. */
function asPort(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const [, before, number, after] =
    /^(?:(tcp|udp)[/: ])?:?([0-9]{1,5})(?:[/ ]?(tcp|udp))?$/i.exec(value) ?? [];
  const protocol = (before ?? after)?.toLowerCase();
  if (number !== undefined && protocol === 'udp') return `write ${number}, and set network.udp to true`;
  if (number !== undefined && number !== value) return `write ${number}`;
  if (/^[0-9]+(?: ?, ?[0-9]+)+$/.test(value))
    return 'give each port an endpoint, or a range by port and endPort';
  return portIn(value);
}

function portIn(value: string): string | undefined {
  const written = ports(value) ?? addressAndPort(value);
  if (written?.port === undefined) return undefined;
  if (written.host !== undefined)
    return /^[0-9]+$/.test(written.host) ? undefined : `write ${fields(written)}`;
  return written.endPort === undefined ? undefined : `write ${fields(written)}`;
}

/** What is an address with a port, a port alone, or an address in brackets; undefined if `text` is nothing of these. */
function addressAndPort(text: string): Written | undefined {
  const written = /^(?:[a-z]+:\/\/)?(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^:[\]/]*))(?::([0-9-]+))?\/?$/i.exec(
    text.trim(),
  );
  if (written === null || written[2] === text.trim()) return undefined;
  const [, bracketed, plain, portText] = written;
  if (bracketed !== undefined && !isIPv6(bracketed)) return undefined;
  const given = portText === undefined ? {} : ports(portText);
  return given === undefined ? undefined : { ...hostIn(bracketed ?? plain ?? ''), ...given };
}

/** A star, or nothing, is every address, which is the default. */
function hostIn(host: string): Written {
  return host === '' || host === '*' ? {} : { host };
}

function ports(text: string): Written | undefined {
  const [, first, last] = /^([0-9]{1,5})(?:\s*(?:[-–]|\.\.|to)\s*([0-9]{1,5}))?$/.exec(text.trim()) ?? [];
  if (first === undefined) return undefined;
  return { port: Number(first), ...(last !== undefined && { endPort: Number(last) }) };
}

function mapping(written: Written): string {
  return `{${fields(written).replaceAll(' and ', ', ')}}`;
}

function fields({ host, port, endPort }: Written): string {
  return [
    ...(host === undefined ? [] : [`address: ${quoted(host)}`]),
    ...(port === undefined ? [] : [`port: ${String(port)}`]),
    ...(endPort === undefined ? [] : [`endPort: ${String(endPort)}`]),
  ].join(' and ');
}

/** `host` as YAML needs it inside brackets. */
function quoted(host: string): string {
  return isIP(host) === 6 ? `"${host}"` : host;
}
