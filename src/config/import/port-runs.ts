import { maxEndpointPorts } from '../../api/schema/endpoint.ts';
import type { PortConfig } from '../port-config.ts';

/**
 * Consecutive ports whose remote ports increase along with them or stay the same, so that one endpoint of a RealmRelay can
 * serve them.
 */
export type PortRun<P extends PortConfig> = {
  readonly first: P;
  /** The last port; that of `first` in a run of one. */
  readonly lastPort: number;
  /** For each remote, whether its port stays the same. */
  readonly fixed: readonly boolean[];
};

/**
 * Splits `ports` into as few runs as their order allows.
 *
 * @param ports  all on one address, and with the same remote hosts.
 */
export function portRuns<P extends PortConfig>(ports: readonly P[]): PortRun<P>[] {
  const runs: P[][] = [];
  for (const port of ports) {
    const run = runs.at(-1);
    if (run !== undefined && continues(run, port)) run.push(port);
    else runs.push([port]);
  }
  return runs.flatMap(portRun);
}

function portRun<P extends PortConfig>(run: readonly P[]): PortRun<P>[] {
  const [first, second] = run;
  if (first === undefined) return [];
  const fixed = steps(first, second ?? first).map((step) => second !== undefined && step === 0);
  return [{ first, lastPort: first.listen.port + run.length - 1, fixed }];
}

function continues(run: readonly PortConfig[], port: PortConfig): boolean {
  const [first, second = port] = run;
  if (first === undefined || run.length === maxEndpointPorts) return false;
  if (port.listen.port !== first.listen.port + run.length) return false;
  const shifts = steps(first, port);
  return steps(first, second).every(
    (step, index) => (step === 0 || step === 1) && shifts[index] === step * run.length,
  );
}

/** By how much the port of each remote is higher in `to` than in `from`. */
function steps(from: PortConfig, to: PortConfig): number[] {
  return from.remotes.map(({ port }, index) => (to.remotes[index]?.port ?? 0) - port);
}
