import { nearest, type Path, type Problem } from './problem.ts';
import { ownValue } from './record.ts';

/** Collects what rules find: all of it, not just the first problem. */
export type Findings = {
  readonly problems: Problem[];
  /** Ignored input that was probably a mistake. */
  readonly warnings: Problem[];
};

/**
 * Reads the value at `path` of a document.
 *
 * @returns undefined if it is not valid, which `findings` then states, or has no effect.
 */
export type Rule<T> = (value: unknown, path: Path, findings: Findings) => T | undefined;

/** The values that the rules of `R` read. A key whose value was absent, null or not valid is absent. */
export type FieldsOf<R> = { [K in keyof R]?: R[K] extends Rule<infer T> ? T : never };

/** true or false. */
export const flag = typed((value) => typeof value === 'boolean', 'give true or false');

/** A string. */
export const text = typed((value) => typeof value === 'string', 'give a string');

/** A whole number in `min..max`. */
export function wholeNumber(min: number, max: number): Rule<number> {
  const remedy = `give a whole number from ${String(min)} to ${String(max)}`;
  const whole = typed((value): value is number => Number.isInteger(value), remedy);
  return (value, path, findings) => {
    const number = whole(value, path, findings);
    if (number === undefined || (number >= min && number <= max)) return number;
    findings.problems.push({ path, what: 'is out of range', value, remedy });
    return undefined;
  };
}

/** The largest whole number that Realm reads. */
const maxUnsigned = 2 ** 64;

/**
 * A whole number from `min`. Realm sets no maximum, so that one above `max` counts as `max`, and gives a warning.
 *
 * @param max  the most that has an effect.
 */
export function cappedNumber(min: number, max: number): Rule<number> {
  const number = wholeNumber(min, max);
  return (value, path, findings) => {
    const isAbove = Number.isInteger(value) && Number(value) > max && Number(value) <= maxUnsigned;
    if (!isAbove) return number(value, path, findings);
    const what = `is more than has an effect, so that ${String(max)} applies`;
    findings.warnings.push({ path, what, value, remedy: `give at most ${String(max)}` });
    return max;
  };
}

/** One of `words`, spelled exactly like that. */
export function oneOf<W extends string>(words: readonly W[]): Rule<W> {
  return (value, path, findings) => {
    const word = words.find((known) => known === value);
    if (word !== undefined) return word;
    const near = typeof value === 'string' ? nearest(value, words) : undefined;
    const remedy = near === undefined ? `use one of ${words.join(', ')}` : `did you mean "${near}"?`;
    findings.problems.push({ path, what: 'is not one of the allowed words', value, remedy });
    return undefined;
  };
}

/** A list of values that `rule` reads; items that are not valid are left out. */
export function listOf<T>(rule: Rule<T>): Rule<readonly T[]> {
  return (value, path, findings) => {
    return list(value, path, findings)?.flatMap(
      (item, index) => rule(item, [...path, index], findings) ?? [],
    );
  };
}

/** A mapping with the keys of `rules`. A missing `required` key is a problem, an unknown key a warning. */
export function fields<R extends Record<string, Rule<unknown>>>(
  rules: R,
  required: readonly (keyof R & string)[] = [],
): Rule<FieldsOf<R>> {
  return (value, path, findings) => {
    const given = mapping(value, path, findings);
    if (given === undefined) return undefined;
    for (const key of required) {
      if (given[key] !== undefined && given[key] !== null) continue;
      findings.problems.push({ path: [...path, key], what: 'is missing', remedy: 'add it' });
    }
    return readFields(rules, given, path, findings);
  };
}

function readFields<R extends Record<string, Rule<unknown>>>(
  rules: R,
  given: Readonly<Record<string, unknown>>,
  path: Path,
  findings: Findings,
): FieldsOf<R> {
  const read = new Map<string, unknown>();
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(rules, key))
      findings.warnings.push(unknownKey([...path, key], key, Object.keys(rules)));
    else if (value !== null) {
      const field = ownValue(rules as Record<string, Rule<unknown>>, key)?.(value, [...path, key], findings);
      if (field !== undefined) read.set(key, field);
    }
  }
  return Object.fromEntries(read) as FieldsOf<R>;
}

function unknownKey(path: Path, key: string, known: readonly string[]): Problem {
  const near = nearest(key, known);
  const remedy = near === undefined ? 'remove it' : `did you mean "${near}"?`;
  return { path, what: 'is an unknown key and has no effect', remedy };
}

/** Whether `value` is a mapping of keys to values. A date, which TOML has, is not. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

const list = typed((value): value is readonly unknown[] => Array.isArray(value), 'give a list');
const mapping = typed(isMapping, 'give a mapping of keys');

function typed<T>(is: (value: unknown) => value is T, remedy: string): Rule<T> {
  return (value, path, findings) => {
    if (is(value)) return value;
    findings.problems.push({ path, what: 'has the wrong type', value, remedy });
    return undefined;
  };
}
