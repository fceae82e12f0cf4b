import { openFilesLimit } from '../../lib/open-files.ts';
import type { ServingThreads } from '../data-plane/serving-threads.ts';
import { memoryBudgetBytes } from '../limits/memory-budget.ts';
import type { Engine } from '../net/engine.ts';
import type { WorkerPoolOptions } from './worker-pool.ts';

/** As `WorkerPoolOptions`, with the limits of this process by default. */
export type WorkersWanted = Pick<WorkerPoolOptions, 'log' | 'clock' | 'count'> & Partial<WorkerPoolOptions>;

/**
 * Starts the threads that serve beside this one.
 *
 * @returns undefined if this thread serves alone: `count` is 1, or the engine cannot hand clients over.
 * @throws WorkerStartError
 */
export async function startWorkers(
  wanted: WorkersWanted,
  engine: Engine,
): Promise<ServingThreads | undefined> {
  const { count: workers, log } = wanted;
  if (workers === 1) return undefined;
  if (engine.tcp.adopt === undefined) {
    log.warn(
      { workers, engine: engine.name },
      'this engine serves with one thread, use --engine kernel for more',
    );
    return undefined;
  }
  const { WorkerPool } = await import('./worker-pool.ts'); // costs memory, so only with workers
  const pool = new WorkerPool({
    openFiles: openFilesLimit(),
    memoryBytes: memoryBudgetBytes(workers),
    ...wanted,
  });
  await pool.start();
  return pool;
}
