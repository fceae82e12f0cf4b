/**
 * Loaded into each thread of a relay by `node --import`: a worker fails as the file that `WORKER_FAULT` names wants, as soon
 * as that is there: `THREAD FAULT`.
 */
import { readFileSync, rmSync } from 'node:fs';
import { isMainThread, threadId } from 'node:worker_threads';

/** How a worker can fail. */
export type Fault = 'exception' | 'memory' | 'hang' | 'exit';

const path = process.env['WORKER_FAULT'];

const faults: Readonly<Record<string, () => void>> = {
  exception: () => {
    throw new Error('a fault of the test');
  },
  memory: () => {
    const kept: object[] = [];
    for (;;) kept.push({ list: [kept.length, {}] });
  },
  hang: () => {
    for (;;);
  },
  exit: () => process.exit(3),
};

function wanted(): string | undefined {
  try {
    const [thread, fault] = readFileSync(path ?? '', 'utf8').split(' ');
    return Number(thread) === threadId ? fault : undefined;
  } catch {
    return undefined; // not yet
  }
}

if (!isMainThread && path !== undefined) {
  setInterval(() => {
    const fault = wanted();
    if (fault === undefined) return;
    rmSync(path);
    faults[fault]?.();
  }, 20).unref();
}
