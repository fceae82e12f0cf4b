/** A longer part is seldom equal to another, and its text costs more than it saves. */
const longestText = 2_048;
/** When so many are known, all are forgotten: what is common comes again at once, and what was met once goes. */
const mostParts = 4_096;
/** V8 keeps shorter texts once by itself. */
const shortestText = 11;

/**
 * Keeps one copy of what many objects have in common: ten thousand Deployments differ in little more than their names.
 */
export class SharedParts {
  readonly #texts = new Map<string, string>();
  /** By their JSON. */
  readonly #parts = new Map<string, object>();

  /** Puts known parts, equal to its own, into `object`, which is plain JSON. Nobody must change it from then on. */
  share(object: object): void {
    for (const [field, value] of Object.entries(object)) {
      const shared = this.#shared(value);
      if (shared !== value) (object as Record<string, unknown>)[field] = shared;
    }
  }

  #shared(value: unknown): unknown {
    if (typeof value === 'string') return this.#sharedText(value);
    return typeof value === 'object' && value !== null ? this.#sharedPart(value) : value;
  }

  #sharedText(text: string): string {
    if (text.length < shortestText || text.length > longestText) return text;
    return this.#texts.get(text) ?? remembered(this.#texts, text, text);
  }

  #sharedPart(part: object): object {
    const text = JSON.stringify(part);
    const isShort = text.length <= longestText;
    const known = isShort ? this.#parts.get(text) : undefined;
    if (known !== undefined) return known;
    this.share(part);
    return isShort ? remembered(this.#parts, text, part) : part;
  }
}

function remembered<T>(known: Map<string, T>, text: string, value: T): T {
  if (known.size >= mostParts) known.clear();
  known.set(text, value);
  return value;
}
