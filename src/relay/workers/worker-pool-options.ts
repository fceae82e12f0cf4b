import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../../lib/clock.ts';
import { RealmError } from '../../lib/errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Lookup } from '../dns/lookup.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import type { Engine } from '../net/engine.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';

/** A worker could not be started. */
export class WorkerStartError extends RealmError {
  readonly code = 'REALM_WORKER_START';
}

/** What a worker pool shares with the rest of its process. */
export type WorkerPoolContext = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly clock: Clock;
  /** How names become addresses, for the health checks. */
  readonly lookup: Lookup;
  /** Moves the bytes, in workers and of the health checks. */
  readonly engine: Engine;
  /** Number of worker processes, at least 1. */
  readonly count: number;
  /** How long connections of a removed endpoint may go on. */
  readonly retireMs: number;
};

/** What a worker pool works with. */
export type WorkerPoolOptions = WorkerPoolContext & {
  /** In [0, 1), for the jitter of backoffs. */
  readonly random: () => number;
  /** File descriptors for health checks. */
  readonly budget: DescriptorBudget;
  /** Starts this program once more, as a worker. */
  readonly fork: () => ChildProcess;
};
