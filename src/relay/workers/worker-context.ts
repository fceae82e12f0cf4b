import type { Clock } from '../../lib/clock.ts';
import type { ConnectionContext } from '../connection/connection.ts';
import { SharedCount } from '../limits/count.ts';
import { clientDescriptors } from '../limits/descriptor-budget.ts';
import { TakenMemory } from '../limits/taken-memory.ts';
import type { DescriptorAllowance, TcpStack } from '../net/channel.ts';
import { errorRecord, recordedFields } from './error-record.ts';
import type { Lookups } from './lookups.ts';
import type { Report, WorkerStart } from './messages.ts';
import type { WorkerContext } from './served-connection.ts';
import { memoryCells, setting } from './shared-memory.ts';

/** What a worker context is made of. */
export type WorkerParts = {
  readonly start: WorkerStart;
  readonly clock: Clock;
  readonly tcp: TcpStack;
  readonly lookups: Lookups;
  readonly post: WorkerContext['post'];
  readonly postNow: WorkerContext['postNow'];
};

/** What connections work with in a worker: the main thread counts, logs and looks up names. */
export function workerContext(parts: WorkerParts): Omit<WorkerContext, 'onSettled'> {
  const { start, clock, tcp, lookups, post, postNow } = parts;
  const { memory, thread, memoryBytes } = start;
  return {
    clock,
    tcp,
    post,
    postNow,
    lookup: (host) => lookups.find(host),
    budget: descriptorAllowance(start, post),
    memory: new TakenMemory(memoryBytes, memoryCells(memory, thread), () => {
      post({ kind: 'memory' });
    }),
    log: forwardingLog(start, post),
    warn: (fields, message) => {
      post({ kind: 'log', level: 'warn', fields: recordedFields(fields), message });
    },
    errors: {
      add: ({ error, ...failure }) => {
        post({
          kind: 'failure',
          failure,
          error: errorRecord(Object.assign(new Error(error.message), error)),
        });
      },
    },
    isOwnPort: (port) => Atomics.load(memory.ports, port) > 0,
  };
}

/** Descriptors beside those of admitted clients; some room is left, so that the main thread can admit the next ones. */
function descriptorAllowance(
  { memory, thread, threads }: WorkerStart,
  post: (report: Report) => void,
): DescriptorAllowance {
  const used = new SharedCount(memory.descriptors, thread);
  const total = (): number => Atomics.load(memory.settings, setting.descriptors);
  return {
    hasRoom: (count) => used.value + count + clientDescriptors * threads <= total(),
    take: (count) => {
      used.add(count);
    },
    release: (count) => {
      const after = used.add(-count) + clientDescriptors;
      if (after <= total() && after + count > total()) post({ kind: 'descriptors' });
    },
  };
}

function forwardingLog({ memory }: WorkerStart, post: (report: Report) => void): ConnectionContext['log'] {
  const isLogged = (level: 'debug' | 'info'): boolean => Atomics.load(memory.settings, setting[level]) !== 0;
  const log =
    (level: 'debug' | 'info') =>
    (fields: object, message: string): void => {
      if (isLogged(level)) post({ kind: 'log', level, fields: recordedFields(fields), message });
    };
  return { info: log('info'), debug: log('debug'), isLevelEnabled: isLogged };
}
