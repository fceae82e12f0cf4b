// One file for both roles, so that a bundle has one more part, and a relay without workers loads no more parts.
import { fork } from 'node:child_process';
import type { RelayConfig } from '../../config/relay-config.ts';
import { openFilesLimit } from '../../lib/open-files.ts';
import { DescriptorBudget } from '../limits/descriptor-budget.ts';
import { handleCall, isCall, isNote } from './rpc.ts';
import type { Message, WorkerStart } from './messages.ts';
import { Worker } from './worker.ts';
import { WorkerPool, type WorkerPoolOptions } from './worker-pool.ts';
import { workerEnvironment } from './environment.ts';

/**
 * Starts this program `count` times more, as workers.
 *
 * @param logConfig  where they log.
 * @throws WorkersUnsupportedError, WorkerStartError
 */
export async function startWorkerPool(
  options: Omit<WorkerPoolOptions, 'fork' | 'budget' | 'random'>,
  logConfig: RelayConfig['log'],
): Promise<WorkerPool> {
  const [, program = '', ...argv] = process.argv;
  const pool = new WorkerPool({
    ...options,
    random: Math.random,
    budget: new DescriptorBudget({ limit: openFilesLimit(), listening: () => 0 }), // checks are not limited by it
    fork: () =>
      fork(program, argv, {
        env: { ...process.env, ...workerEnvironment },
        serialization: 'advanced',
      }),
  });
  await pool.start(logConfig);
  return pool;
}

/** The worker program: does what its parent asks, until the parent is gone. */
export async function runWorker(): Promise<number> {
  const receive: (message: Message, handle?: object) => void = workerOf((message) => {
    process.send?.(message, undefined, {}, () => undefined); // fails where the parent is gone, which is told anyway
  });
  process.on('message', receive);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined); // the parent's to act on
  const { promise, resolve } = Promise.withResolvers<undefined>();
  process.once('disconnect', () => {
    resolve(undefined);
  });
  await promise;
  return process.exit(0); // whatever is open: nobody is left to tell it to end
}

/** @returns what takes messages. */
function workerOf(send: (message: Message) => void): (message: Message, handle?: object) => void {
  let worker: Worker | undefined;
  return (message, handle) => {
    if (isNote(message)) worker?.receive(message);
    else if (isCall(message) && message.call === 'start') {
      worker = new Worker(message.params as WorkerStart, send);
      send({ seq: message.seq, result: undefined });
    } else if (isCall(message) && worker !== undefined) {
      void handleCall(worker.handlers, message, handle).then(send);
    }
  };
}
