import { setFlagsFromString } from 'node:v8';

/**
 * Trades CPU time for a small heap: V8 collects garbage sooner, keeps its young generation at the initial size (with
 * thousands of objects it would grow to 96 MB), and does not use its optimizing compiler. Call it before the heap grows.
 * `docs/adr/0019-a-small-operator.md` has the figures.
 */
export function setHeapFlags(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--optimize-for-size');
  setFlagsFromString('--heap-growing-percent=20'); // below that, a collection frees too little for its marking
  setFlagsFromString('--no-parallel-scavenge'); // waking helper threads costs more than collecting so small a generation
  setFlagsFromString('--no-turbofan'); // nothing runs long enough to pay for that compiler
}

/**
 * Keeps the heap of a relay close to what its connections need: they live for long, and a young generation that grows with
 * them would hold mostly garbage. To be called once the relay serves: a start with a thousand endpoints is faster without.
 * `docs/performance.md` has the figures.
 */
export function setRelayHeapFlag(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
