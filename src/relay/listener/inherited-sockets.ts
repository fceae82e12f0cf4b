import { closeSync } from 'node:fs';
import type { BoundHandle } from '../net/channel.ts';

/** The name of socket `index`, from 0, of those that `name` has together. */
export function partName(name: string, index: number): string {
  return index === 0 ? name : `${name} part ${String(index)}`;
}

/** Listening sockets that this process was started with, by a name; each can be taken once. */
export class InheritedSockets {
  readonly #descriptors: Map<string, number>;
  readonly #taken = new Set<string>();

  /** @param descriptors  open descriptors, which this object owns until they are taken. */
  constructor(descriptors: Iterable<readonly [string, number]> = []) {
    this.#descriptors = new Map(descriptors);
  }

  /** The names of those that were taken. */
  get taken(): ReadonlySet<string> {
    return this.#taken;
  }

  /** The socket called `name`, with its further parts, which the caller owns from now on; undefined if there is none. */
  take(name: string): BoundHandle | undefined {
    const handle = this.#take(name);
    if (handle === undefined) return undefined;
    this.#taken.add(name);
    const others: BoundHandle[] = [];
    for (let next = this.#take(partName(name, 1)); next !== undefined;) {
      others.push(next);
      next = this.#take(partName(name, others.length + 1));
    }
    return { ...handle, others };
  }

  #take(name: string): BoundHandle | undefined {
    const fd = this.#descriptors.get(name);
    if (fd === undefined) return undefined;
    this.#descriptors.delete(name);
    return {
      fd,
      close: () => {
        closeSync(fd);
      },
    };
  }

  /** Closes those that nobody has taken. */
  closeRest(): void {
    for (const fd of this.#descriptors.values()) closeSync(fd);
    this.#descriptors.clear();
  }
}
