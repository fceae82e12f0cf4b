/** The program of a worker thread. `tools/build.ts` bundles it on its own, so that a worker loads only what it needs. */
import { workerData } from 'node:worker_threads';
import { systemClock } from '../../lib/clock.ts';
import { recordDescriptors } from '../kernel/descriptor.ts';
import { returnMemory } from '../limits/memory-return.ts';
import { kernelStack } from '../net/kernel-stack.ts';
import type { Order, WorkerStart } from './messages.ts';
import { Worker } from './worker.ts';

const start = workerData as WorkerStart;
recordDescriptors(start.openDescriptors);
const worker = new Worker(start, kernelStack(), systemClock);
start.port.on('message', (orders: readonly Order[]) => {
  for (const order of orders) worker.receive(order);
});
returnMemory(systemClock);
