import { loadFfi } from './ffi.ts';

/** Has malloc return free memory to the system. Does nothing without `node:ffi`, or with another libc than glibc. */
export function trimMalloc(): void {
  try {
    const library = loadFfi()?.dlopen(null, { malloc_trim: { return: 'i32', arguments: ['u64'] } });
    library?.functions.malloc_trim(0n);
  } catch {
    // no such function, or no permission to call it
  }
}
