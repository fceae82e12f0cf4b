import { readFileSync } from 'node:fs';

/** USER_HZ of Linux: a tick is 10 ms. */
const ticksPerSecond = 100;

/** User and system CPU seconds of `pids` since their start, including ended children. Source: proc(5), /proc/pid/stat. */
export function cpuSeconds(pids: readonly number[]): number {
  return sum(
    pids.map((pid) => {
      const fields = read(pid, 'stat')
        .replace(/^.*\) /s, '')
        .split(' ');
      return sum(fields.slice(11, 15).map(Number)) / ticksPerSecond;
    }),
  );
}

/** Resident memory of `pids`, in KiB. */
export function residentKib(pids: readonly number[]): number {
  return sum(pids.map((pid) => Number(/^VmRSS:\s+(\d+)/m.exec(read(pid, 'status'))?.[1] ?? 0)));
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
