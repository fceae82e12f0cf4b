import { counted } from '../lib/counted.ts';
import type { Findings } from '../lib/document-rules.ts';
import { portsFrom } from '../lib/port-range.ts';
import type { Path, Problem } from '../lib/problem.ts';
import type { SocketAddress } from './address.ts';
import type { PortConfig } from './port-config.ts';
import type { ReadEndpoint } from './realm-rules.ts';

/** The keys of an endpoint that make it a range. */
type RangeKeys = Pick<ReadEndpoint, 'listen_end_port' | 'fixed_remote_ports'> & {
  readonly range_of: string | undefined;
};

/**
 * The ports after the first one of an endpoint with `listen_end_port`, each with its remotes.
 *
 * @returns [] without that key, or if the keys are not valid, which `findings` reports.
 */
export function furtherPorts(
  { listen, remotes }: PortConfig,
  keys: RangeKeys,
  path: Path,
  findings: Findings,
): PortConfig[] {
  const { listen_end_port: end, fixed_remote_ports: fixed = [] } = keys;
  if (end === undefined) {
    if (keys.fixed_remote_ports !== undefined) findings.warnings.push(idle(path));
    return [];
  }
  const problem = problemOf({ listen, remotes }, end, keys, path);
  if (problem !== undefined) {
    findings.problems.push(problem);
    return [];
  }
  return portsFrom(listen.port + 1, end).map((port) => ({
    listen: { ...listen, port },
    remotes: remotes.map((remote, index): SocketAddress => {
      return fixed[index] === true ? remote : { ...remote, port: remote.port + port - listen.port };
    }),
  }));
}

function idle(path: Path): Problem {
  const remedy = 'remove it, or set listen_end_port';
  return { path: [...path, 'fixed_remote_ports'], what: 'has no effect: the endpoint has one port', remedy };
}

function problemOf(
  { listen, remotes }: PortConfig,
  end: number,
  { fixed_remote_ports: fixed, range_of: rangeOf }: RangeKeys,
  path: Path,
): Problem | undefined {
  const at = { path: [...path, 'listen_end_port'], value: end };
  if (rangeOf !== undefined) {
    const remedy = `set it on endpoint "${rangeOf}", or give each port an endpoint with range_of`;
    return { ...at, what: 'cannot go with range_of', remedy };
  }
  if (listen.port === 0) {
    return { ...at, what: 'cannot go with port 0', remedy: 'give listen the first port of the range' };
  }
  if (end < listen.port) {
    const what = `is below port ${String(listen.port)} of listen`;
    return { ...at, what, remedy: 'give the last port of the range' };
  }
  if (fixed !== undefined && fixed.length !== remotes.length) {
    const what = `has ${counted(fixed.length, 'entry', 'entries')} for ${counted(remotes.length, 'remote')}`;
    const remedy = 'give true or false for each remote, first for remote and then for extra_remotes';
    return { path: [...path, 'fixed_remote_ports'], what, remedy };
  }
  return remotes.flatMap((remote, index) =>
    fixed?.[index] === true ? [] : (pastLast(remote, end - listen.port, at) ?? []),
  )[0];
}

/** Whether the shift leads a remote past the last port that there is. */
function pastLast(
  { host, port }: SocketAddress,
  shift: number,
  at: Pick<Problem, 'path' | 'value'>,
): Problem | undefined {
  if (port + shift <= 65_535) return undefined;
  const what = `leads to port ${String(port + shift)} of ${host}, and the last port is 65535`;
  return { ...at, what, remedy: 'use a lower port of the remote, or make it fixed by fixed_remote_ports' };
}
