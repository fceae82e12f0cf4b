/** A place in a `LinkedList`. */
export type ListNode<T> = {
  readonly value: T;
  previous: ListNode<T> | undefined;
  next: ListNode<T> | undefined;
};

/** A list in the order of `push`, from which each value can be removed in constant time, by its node. */
export class LinkedList<T> implements Iterable<T> {
  #first: ListNode<T> | undefined;
  #last: ListNode<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): ListNode<T> | undefined {
    return this.#first;
  }

  get last(): ListNode<T> | undefined {
    return this.#last;
  }

  push(value: T): ListNode<T> {
    const node: ListNode<T> = { value, previous: this.#last, next: undefined };
    if (this.#last === undefined) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    this.#size += 1;
    return node;
  }

  /** @param node  in this list; to be removed once. */
  remove(node: ListNode<T>): void {
    const { previous, next } = node;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    this.#size -= 1;
  }

  /** The value that was returned last may be removed meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    for (let node = this.#first; node !== undefined; node = node.next) yield node.value;
  }
}
