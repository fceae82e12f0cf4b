// One file for both roles, so that the bundle gets one part for workers, which a relay without workers does not load.
import { fork } from 'node:child_process';
import { fstatSync } from 'node:fs';
import type { RelayConfig } from '../../config/relay-config.ts';
import { systemClock } from '../../lib/clock.ts';
import { openFilesLimit } from '../../lib/open-files.ts';
import { setStandardDescriptors } from '../../telemetry/log-outputs.ts';
import { exitProgram } from '../../telemetry/program.ts';
import { DescriptorBudget } from '../limits/descriptor-budget.ts';
import { returnMemory } from '../limits/memory-return.ts';
import { handleCall, isCall, isNote } from './rpc.ts';
import type { Message, WorkerStart } from './messages.ts';
import { Worker } from './worker.ts';
import { WorkerPool } from './worker-pool.ts';
import type { WorkerPoolContext } from './worker-pool-options.ts';
import { workerEnvironment } from './environment.ts';

/** A worker's descriptors of its parent's standard output and standard error; 3 is the channel to its parent. */
const [stdoutFd, stderrFd] = [4, 5];

/**
 * Starts `count` more processes of this program, as workers.
 *
 * @param logConfig  where and at which level they log.
 * @throws WorkersUnsupportedError, WorkerStartError
 */
export async function startWorkerPool(
  context: WorkerPoolContext,
  logConfig: RelayConfig['log'],
): Promise<WorkerPool> {
  const [, program = '', ...argv] = process.argv;
  const pool = new WorkerPool({
    ...context,
    random: Math.random,
    budget: new DescriptorBudget({ limit: openFilesLimit(), listening: () => 0 }), // does not limit health checks
    fork: () =>
      fork(program, argv, {
        env: { ...process.env, ...workerEnvironment },
        serialization: 'advanced',
        // What Node prints on its own when it aborts goes to 2; see `setStandardDescriptors` for why not to a socket.
        stdio: ['ignore', 'ignore', fstatSync(2).isSocket() ? 'ignore' : 'inherit', 'ipc', 1, 2],
      }),
  });
  await pool.start(logConfig);
  return pool;
}

/** The worker program: handles its parent's calls until the parent is gone. */
export async function runWorker(): Promise<number> {
  setStandardDescriptors(stdoutFd, stderrFd);
  const receive: (message: Message, handle?: object) => void = messageHandler((message) => {
    process.send?.(message, undefined, {}, () => undefined); // fails if the parent is gone: `disconnect` reports that
  });
  process.on('message', receive);
  returnMemory(systemClock);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined); // the parent's to act on
  const { promise, resolve } = Promise.withResolvers<undefined>();
  process.once('disconnect', () => {
    resolve(undefined);
  });
  await promise;
  return exitProgram(0); // whatever is open: no parent is left to drain it
}

/** @returns receives the parent's messages; the first one starts the worker. */
function messageHandler(send: (message: Message) => void): (message: Message, handle?: object) => void {
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
