import { spawnSync } from 'node:child_process';
import { constants, openSync, readSync, writeSync } from 'node:fs';
import { errorCode } from '../../src/lib/errors.ts';

const { O_NONBLOCK, O_RDWR } = constants;

/** Creates a FIFO at `path`. */
export function makeFifo(path: string): void {
  spawnSync('mkfifo', [path]);
}

/** Creates a FIFO at `path`, and opens its end for readers, which keeps it open for writers. @returns its descriptor. */
export function openFifo(path: string): number {
  makeFifo(path);
  return openSync(path, O_RDWR | O_NONBLOCK);
}

/** Everything that the pipe of a non-blocking descriptor holds. */
export function drained(fd: number): string {
  const [parts, buffer]: [Buffer[], Buffer] = [[], Buffer.alloc(65_536)];
  untilAgain(() => parts.push(Buffer.from(buffer.subarray(0, readSync(fd, buffer)))));
  return Buffer.concat(parts).toString();
}

/** Fills the pipe of a non-blocking descriptor. */
export function fill(fd: number): void {
  untilAgain(() => writeSync(fd, Buffer.alloc(4096)));
}

function untilAgain(step: () => unknown): void {
  try {
    for (;;) step();
  } catch (error) {
    if (errorCode(error) !== 'EAGAIN') throw error;
  }
}
