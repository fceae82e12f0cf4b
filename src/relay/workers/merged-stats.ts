import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Protocol } from '../../api/port-conflicts.ts';
import { isRecord, ownValue } from '../../lib/record.ts';
import type { EndpointStats } from '../data-plane/data-plane.ts';
import { remoteNames } from '../upstream/remote-pools.ts';
import { latest, sumOfCounts, type RemoteHealth } from '../upstream/remote-health.ts';
import { connectionBounds, dialBounds, noCounts } from '../stats/histogram.ts';
import type { Traffic } from '../stats/traffic.ts';
import { hasTransport } from '../transport/transports.ts';
import type { WorkerStats, WorkerReport } from './messages.ts';

/** The stats of all workers, lost ones included. */
export class MergedStats {
  /** By endpoint, the counts that lost workers last reported. */
  #gone = new Map<string, WorkerStats>();
  #goneLogLinesDropped = 0;

  /** A worker is lost, with everything open in it: its counts stay. */
  workerLost({ endpoints: stats, logLinesDropped }: WorkerReport): void {
    this.#goneLogLinesDropped += logLinesDropped;
    for (const each of stats) {
      const left = withoutOpen(each);
      const known = this.#gone.get(each.name);
      this.#gone.set(each.name, known === undefined ? left : sumOf(known, left));
    }
  }

  /** Forgets endpoints that no longer run. */
  keep(endpoints: readonly EndpointConfig[]): void {
    const names = new Set(endpoints.map(({ name }) => name));
    this.#gone = new Map([...this.#gone].filter(([name]) => names.has(name)));
  }

  /** Log lines that all workers dropped. */
  logLinesDropped(reports: readonly WorkerReport[]): number {
    return reports.reduce((sum, report) => sum + report.logLinesDropped, this.#goneLogLinesDropped);
  }

  /** The stats of the endpoint `config`. @param health  the health of its remotes. */
  of(
    config: EndpointConfig,
    health: EndpointStats['health'],
    reports: readonly WorkerReport[],
  ): EndpointStats {
    const { name } = config;
    const counted = [this.#gone.get(name), ...reports.map(({ endpoints: stats }) => statsOf(name, stats))];
    const total = counted.filter((each) => each !== undefined).reduce(sumOf, nothing(name));
    const { name: _, problem, isUsable, ...figures } = total;
    return {
      ...figures,
      config,
      remoteNames: remoteNames(config),
      transport: hasTransport(config) ? { problem, isUsable } : undefined,
      health: {
        TCP: withCounts(health.TCP, total.health.TCP),
        UDP: withCounts(health.UDP, total.health.UDP),
      },
    };
  }
}

function statsOf(name: string, stats: readonly WorkerStats[]): WorkerStats | undefined {
  return stats.find((each) => each.name === name);
}

/** The health of remotes, with the counts of their addresses. */
function withCounts(health: readonly RemoteHealth[], counted: readonly RemoteHealth[]): RemoteHealth[] {
  const left = [...counted];
  return health.map((remote) => {
    const index = left.findIndex(({ address }) => address === remote.address);
    const ofWorkers = index === -1 ? [] : left.splice(index, 1);
    const lastFailure = latest([remote, ...ofWorkers].map((each) => each.lastFailure));
    return { ...remote, ...sumOfCounts(ofWorkers), lastFailure };
  });
}

const noTraffic: Traffic = {
  active: 0,
  max: 0,
  total: 0,
  failed: { client: 0, upstream: 0, relay: 0 },
  fromClientBytes: 0,
  fromUpstreamBytes: 0,
};

function nothing(name: string): WorkerStats {
  return {
    name,
    health: { TCP: [], UDP: [] },
    connections: noTraffic,
    associations: noTraffic,
    waiting: 0,
    refused: { connections: 0, associations: 0 },
    notAllowed: { connections: 0, associations: 0 },
    tooManyOfClient: { connections: 0, associations: 0 },
    looped: { connections: 0, associations: 0 },
    probes: 0,
    evicted: 0,
    dialTime: noCounts(dialBounds),
    connectionTime: noCounts(connectionBounds),
    problem: '',
    isUsable: true,
  };
}

function withoutOpen(each: WorkerStats): WorkerStats {
  const { connections, associations, health } = each;
  const closed = (remotes: readonly RemoteHealth[]): RemoteHealth[] =>
    remotes.map((remote) => ({ ...remote, active: 0 }));
  return {
    ...each,
    health: { TCP: closed(health.TCP), UDP: closed(health.UDP) },
    connections: { ...connections, active: 0 },
    associations: { ...associations, active: 0 },
    waiting: 0,
    problem: '',
    isUsable: true,
  };
}

function sumOf(a: WorkerStats, b: WorkerStats): WorkerStats {
  const { name, health, problem, isUsable, ...figures } = a;
  const { name: _, health: healthOfB, problem: problemOfB, isUsable: isUsableOfB, ...figuresOfB } = b;
  const sumOfProtocol = (protocol: Protocol): RemoteHealth[] =>
    sumOfRemotes(health[protocol], healthOfB[protocol]);
  return {
    name,
    health: { TCP: sumOfProtocol('TCP'), UDP: sumOfProtocol('UDP') },
    ...sumOfFigures(figures, figuresOfB),
    problem: problem === '' ? problemOfB : problem,
    isUsable: isUsable && isUsableOfB,
  };
}

/** The sum of each number of `a` and `b`, which have the same shape. */
function sumOfFigures<T>(a: T, b: T): T {
  if (typeof a === 'number' && typeof b === 'number') return (a + b) as T;
  if (Array.isArray(a) && Array.isArray(b))
    return a.map((each: unknown, index) => sumOfFigures(each, b[index] as unknown)) as T;
  if (!isRecord(a) || !isRecord(b)) return a;
  return Object.fromEntries(
    Object.entries(a).map(([key, value]) => [key, sumOfFigures(value, ownValue(b, key))]),
  ) as T;
}

/** The sum by address; of an address listed more than once, the first goes with the first, and so on. */
function sumOfRemotes(a: readonly RemoteHealth[], b: readonly RemoteHealth[]): RemoteHealth[] {
  const left = [...b];
  const both = a.map((remote) => {
    const index = left.findIndex(({ address }) => address === remote.address);
    const [same] = index === -1 ? [] : left.splice(index, 1);
    if (same === undefined) return remote;
    const lastFailure = latest([remote.lastFailure, same.lastFailure]);
    return { ...remote, ...sumOfCounts([remote, same]), lastFailure };
  });
  return [...both, ...left];
}
