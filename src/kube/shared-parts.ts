/** When so many are known, all are forgotten: what is common comes again at once, and what was met once goes. */
const mostParts = 4_096;
/** A longer text, and a part of more than that, is seldom equal to another. */
const longest = 2_048;
/** V8 keeps shorter texts once by itself. */
const shortestText = 11;

/** A part that is known, and the number that stands for it in the key of what it is a part of. */
type Part = { readonly part: object; readonly number: number };

/**
 * Keeps one copy of what many objects have in common: ten thousand Deployments differ in little more than their names.
 */
export class SharedParts {
  readonly #texts = new Map<string, string>();
  /** By what they are made of: their fields with values, in which parts that are known are told by their number. */
  readonly #parts = new Map<string, Part>();
  #count = 0;

  /** Puts known parts, equal to its own, into `object`, which is plain JSON. Nobody must change it from then on. */
  share(object: object): void {
    this.#shareFields(object);
  }

  /** @returns what `part` is made of, from the innermost to itself, so that each text in it is looked at once. */
  #shareFields(part: object): string {
    const fields = part as Record<string, unknown>;
    let key = Array.isArray(part) ? '[' : '{';
    for (const field of Object.keys(fields)) {
      const value = fields[field];
      if (typeof value === 'object' && value !== null) {
        const { part: known, number } = this.#sharedPart(value);
        if (known !== value) fields[field] = known;
        key += `${String(field.length)} ${field}#${String(number)} `;
      } else if (typeof value === 'string' && value.length > longest) {
        key += `${String(field.length)} ${field}#${String(this.#next())} `;
      } else {
        if (typeof value === 'string' && value.length >= shortestText)
          fields[field] = this.#sharedText(value);
        key += `${String(field.length)} ${field}${JSON.stringify(value)} `;
      }
    }
    return key;
  }

  #sharedPart(part: object): Part {
    const key = this.#shareFields(part);
    const known = this.#parts.get(key);
    if (known !== undefined) return known;
    const added = { part, number: this.#next() };
    return key.length > longest ? added : remembered(this.#parts, key, added);
  }

  #sharedText(text: string): string {
    return this.#texts.get(text) ?? remembered(this.#texts, text, text);
  }

  #next(): number {
    this.#count += 1;
    return this.#count;
  }
}

function remembered<T>(known: Map<string, T>, key: string, value: T): T {
  if (known.size >= mostParts) known.clear();
  known.set(key, value);
  return value;
}
