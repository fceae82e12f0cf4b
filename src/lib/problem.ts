import { cutToCharacters } from './plain-text.ts';

/** The place of a value in a document: keys and list indexes, outermost first. */
export type Path = readonly (string | number)[];

/** What is wrong with a value, and what to do about it. */
export type Diagnosis = {
  /** What is wrong, e.g. `is above 65535`. */
  readonly what: string;
  /** What to do, e.g. `use a port from 1 to 65535`. */
  readonly remedy: string;
};

/** One thing that is wrong with an input: where, what, and how its author can fix it. */
export type Problem = Diagnosis & {
  readonly path: Path;
  /** The value found there; absent if there is none. */
  readonly value?: unknown;
};

/** How many problems of one file are reported. */
const maxProblems = 1_000;

/**
 * `items`, the problems of one file, or the first 1,000 of them and a last one.
 *
 * @param last  the item for a problem that has the number of the others.
 */
export function firstProblems<T>(items: readonly T[], last: (problem: Problem) => T): readonly T[] {
  if (items.length <= maxProblems) return items;
  const what = `has ${String(items.length - maxProblems)} more problems`;
  return [...items.slice(0, maxProblems), last({ path: [], what, remedy: 'correct those above first' })];
}

const maxValueLength = 80;

/** `problem` on one line: `field: what, value, remedy`, the value as JSON, cut if it is long. */
export function problemText(problem: Problem): string {
  const value = problem.value === undefined ? '' : `, got ${valueText(problem.value)}`;
  return `${pathText(problem.path)}: ${problem.what}${value}: ${problem.remedy}`;
}

function valueText(value: unknown): string {
  // JSON has neither infinity nor NaN.
  return cutToCharacters(typeof value === 'number' ? String(value) : JSON.stringify(value), maxValueLength);
}

/**
 * `path` as users write it, e.g. `spec.endpoints[0].listen.port`; `document` for the document itself. Keys that would not be
 * seen, or that a terminal would obey, are quoted.
 */
export function pathText(path: Path): string {
  if (path.length === 0) return 'document';
  return path.map(stepText).join('').replace(/^\./, '');
}

function stepText(step: string | number): string {
  if (typeof step === 'number') return `[${String(step)}]`;
  return /^$|^\s|\s$|\p{C}/u.test(step) ? `[${JSON.stringify(step)}]` : `.${step}`;
}

/**
 * The word of `known` that `word` most probably misspells.
 *
 * @returns undefined if none is close: more than a third of the letters would have to change.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.floor(Math.max(word.length, 3) / 3) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance >= bestDistance) continue;
    bestDistance = distance;
    best = candidate;
  }
  return best;
}

/** Levenshtein distance: insertions, deletions and substitutions from `a` to `b`. Source: Wagner and Fischer, 1974. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
