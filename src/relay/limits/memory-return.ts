import type { Clock } from '../../lib/clock.ts';
import { trimMalloc } from '../kernel/malloc-trim.ts';

/** Less than this is not worth a collection of garbage, which stops everything for tens of milliseconds. */
const minGrownBytes = 16 * 1024 * 1024;
const intervalMs = 10_000;
/** Between collections that leave much, since it is in use. */
const maxDelayMs = 3_600_000;
/** A process that uses more of a CPU is busy: it collects its garbage as it goes, and must not be stopped. */
const maxCpuShare = 0.25;

/** The memory of a process. */
export type ProcessMemory = {
  /** What is resident now. */
  readonly residentBytes: () => number;
  /** CPU time used since the start, in milliseconds. */
  readonly cpuMs: () => number;
  /** Collects all garbage and returns what is free to the system. */
  readonly collect: () => Promise<void>;
};

/**
 * Returns memory to the system after a flood. V8 collects no garbage while a process is idle, and malloc keeps what is
 * freed between two blocks in use: without this, a process stays at its peak.
 *
 * Every ten seconds it compares what is resident with the least so far. If that has grown by 16 MiB and the process is
 * quiet, it collects: again and again, later each time, as long as that much stays in use.
 *
 * @returns stops it.
 */
export function returnMemory(clock: Clock, memory: ProcessMemory = ownMemory): () => void {
  let leastBytes = memory.residentBytes();
  let cpuMs = memory.cpuMs();
  let [delayMs, dueMs] = [intervalMs, 0];
  let stopTimer: () => void = () => undefined;
  const check = async (): Promise<void> => {
    const [usedMs, nowMs, bytes] = [memory.cpuMs() - cpuMs, clock.monotonicMs(), memory.residentBytes()];
    cpuMs += usedMs;
    leastBytes = Math.min(leastBytes, bytes);
    if (bytes - leastBytes < minGrownBytes) [delayMs, dueMs] = [intervalMs, 0];
    else if (usedMs <= intervalMs * maxCpuShare && nowMs >= dueMs) {
      delayMs = Math.min(2 * delayMs, maxDelayMs);
      dueMs = nowMs + delayMs;
      await memory.collect();
    }
  };
  const watch = (): void => {
    stopTimer = clock.after(intervalMs, () => {
      watch();
      void check();
    });
  };
  watch();
  return () => {
    stopTimer();
  };
}

const ownMemory: ProcessMemory = {
  residentBytes: () => process.memoryUsage.rss(),
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  collect: async () => {
    // Without a flag of V8, and without a port: the session ends in this process.
    const { Session } = await import('node:inspector/promises'); // costs memory, so only after a flood
    const session = new Session();
    session.connect();
    try {
      await session.post('HeapProfiler.collectGarbage');
    } finally {
      session.disconnect();
    }
    trimMalloc();
  },
};
