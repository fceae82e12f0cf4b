import { LinkedList, type ListNode } from '../../lib/linked-list.ts';

/** What one client has in the queue. */
type Line<T> = {
  readonly client: string;
  /** The oldest first. */
  readonly items: LinkedList<T>;
  /** Its place among the clients whose turn comes. */
  turn: ListNode<Line<T>>;
  /** Its place among the clients that have as many items. */
  rank: ListNode<Line<T>>;
};

/**
 * A queue that is fair by client: clients take turns, and of one client the oldest item comes first. If something has
 * to go, the client with the most items loses its newest. Every step takes constant time, however many clients wait.
 */
export class FairQueue<T> implements Iterable<T> {
  readonly #lines = new Map<string, Line<T>>();
  readonly #turns = new LinkedList<Line<T>>();
  /** By number of items. */
  readonly #ranks: LinkedList<Line<T>>[] = [];
  #longest = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(client: string, item: T): void {
    const line = this.#lines.get(client) ?? this.#newLine(client);
    line.items.push(item);
    this.#size += 1;
    this.#rank(line, line.items.size - 1);
  }

  /** Removes the next item. */
  shift(): T | undefined {
    const line = this.#turns.first?.value;
    const oldest = line?.items.first;
    if (line === undefined || oldest === undefined) return undefined;
    this.#remove(line, oldest);
    this.#turns.remove(line.turn);
    if (line.items.size > 0) line.turn = this.#turns.push(line);
    return oldest.value;
  }

  /** Whether another client has so many more items that one of them has to go, rather than the next one of `client`. */
  hasLongerThan(client: string): boolean {
    return this.#longest > (this.#lines.get(client)?.items.size ?? 0) + 1;
  }

  /** Removes the newest item of the client with the most. */
  pop(): T | undefined {
    const line = this.#ranks[this.#longest]?.first?.value;
    const newest = line?.items.last;
    if (line === undefined || newest === undefined) return undefined;
    this.#remove(line, newest);
    if (line.items.size === 0) this.#turns.remove(line.turn);
    return newest.value;
  }

  /** Removes the items for which `isOver` is true. */
  removeIf(isOver: (item: T) => boolean): T[] {
    const removed: T[] = [];
    for (const line of this.#turns) {
      for (let node = line.items.first; node !== undefined; node = node.next) {
        if (!isOver(node.value)) continue;
        this.#remove(line, node);
        removed.push(node.value);
      }
      if (line.items.size === 0) this.#turns.remove(line.turn);
    }
    return removed;
  }

  *[Symbol.iterator](): Generator<T> {
    for (const line of this.#turns) yield* line.items;
  }

  #newLine(client: string): Line<T> {
    const line = { client, items: new LinkedList<T>() } as Line<T>;
    line.turn = this.#turns.push(line);
    line.rank = this.#rankOf(0).push(line);
    this.#lines.set(client, line);
    return line;
  }

  #remove(line: Line<T>, node: ListNode<T>): void {
    line.items.remove(node);
    this.#size -= 1;
    this.#rank(line, line.items.size + 1);
    if (line.items.size > 0) return;
    this.#rankOf(0).remove(line.rank);
    this.#lines.delete(line.client);
  }

  /** `line` has one item more or less than `before`. */
  #rank(line: Line<T>, before: number): void {
    const { size } = line.items;
    this.#rankOf(before).remove(line.rank);
    line.rank = this.#rankOf(size).push(line);
    if (size > this.#longest || (before === this.#longest && this.#rankOf(before).size === 0))
      this.#longest = size;
  }

  #rankOf(count: number): LinkedList<Line<T>> {
    return (this.#ranks[count] ??= new LinkedList());
  }
}
