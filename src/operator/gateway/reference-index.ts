import type { ObjectKey } from '../../kube/object.ts';

/** Who refers to what: an index of the references of objects, both ways. */
export class ReferenceIndex {
  readonly #targets = new Map<ObjectKey, readonly string[]>();
  readonly #sources = new Map<string, Set<ObjectKey>>();

  /** Replaces what the object at `source` refers to; nothing if `targets` is empty. */
  set(source: ObjectKey, targets: readonly string[]): void {
    for (const target of this.targets(source)) this.#remove(target, source);
    if (targets.length === 0) this.#targets.delete(source);
    else this.#targets.set(source, targets);
    for (const target of targets)
      this.#sources.set(target, (this.#sources.get(target) ?? new Set()).add(source));
  }

  /** What the object at `source` refers to. */
  targets(source: ObjectKey): readonly string[] {
    return this.#targets.get(source) ?? [];
  }

  /** The keys of the objects that refer to `target`. */
  sources(target: string): readonly ObjectKey[] {
    return [...(this.#sources.get(target) ?? [])];
  }

  #remove(target: string, source: ObjectKey): void {
    const sources = this.#sources.get(target);
    sources?.delete(source);
    if (sources?.size === 0) this.#sources.delete(target);
  }
}
