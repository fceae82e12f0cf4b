import { setFlagsFromString } from 'node:v8';

/**
 * Makes V8 collect garbage sooner and keep its young generation at its first size, which would grow to 96 MB where objects
 * come in by the thousand, and stop at its quick compiler. To be called before there is much of a heap. What it costs and
 * saves in CPU: `docs/performance.md`.
 */
export function setHeapFlags(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--optimize-for-size');
  setFlagsFromString('--heap-growing-percent=20'); // after less than that, what is collected is not worth the marking
  setFlagsFromString('--no-parallel-scavenge'); // so small a generation costs less than helpers that are woken for it
  setFlagsFromString('--no-turbofan'); // nothing runs for long enough to earn what that compiler takes
}
