/**
 * `work`, one run at a time. Calls during a run share one more run after it, which sees everything that changed before
 * it began; so a burst of calls costs two runs, however many they are.
 */
export function coalesced<T>(work: () => Promise<T>): () => Promise<T> {
  let current: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const run = (): Promise<T> => {
    next = undefined;
    const started = work().finally(() => {
      if (current === started) current = undefined;
    });
    current = started;
    return started;
  };
  return () => {
    if (next !== undefined) return next;
    if (current === undefined) return run();
    next = current.then(run, run);
    return next;
  };
}
