/** Remotes in the order in which to try them, which is made out as far as it is needed. */
export type RemoteOrder<T> = {
  /** How many there may be. */
  readonly size: number;
  /** The next one; undefined after the last. A promise if another thread has the order. */
  readonly next: () => T | undefined | Promise<T | undefined>;
};

/** A `RemoteOrder` of this thread. */
export type KnownOrder<T> = Pick<RemoteOrder<T>, 'size'> & { readonly next: () => T | undefined };

/** `remotes` in their order. @param size  how many there may be. */
export function inOrder<T>(remotes: Iterable<T>, size: number): KnownOrder<T> {
  const iterator = remotes[Symbol.iterator]();
  return {
    size,
    next: () => {
      const result = iterator.next();
      return result.done === true ? undefined : result.value;
    },
  };
}
