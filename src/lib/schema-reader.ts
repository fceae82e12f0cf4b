import type { z } from 'zod';
import { nearest, type Diagnosis, type Path, type Problem } from './problem.ts';
import { invisibleCharacter } from './plain-text.ts';
import { isRecord, ownValue } from './record.ts';
import { knownFieldFor } from './schema-fields.ts';

/** The result of validating an input against a schema. */
export type Reading<T> = {
  /** The input in the schema's type; absent if there are problems. */
  readonly value?: T;
  readonly problems: readonly Problem[];
  /** Ignored input that was probably a mistake: unknown keys. */
  readonly warnings: readonly Problem[];
};

/**
 * Validates `input` against `schema` and reports every problem at once.
 *
 * Keys with a null value count as absent, as on the Kubernetes API server; unknown keys are warnings.
 *
 * @param schema  of plain objects, records, arrays and scalars; the `error` of a pattern is its remedy.
 */
export function readWith<T>(schema: z.ZodType<T>, input: unknown): Reading<T> {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const known = withoutUnknown(schema, input, { root: schema, path: [], problems, warnings });
  const result = schema.safeParse(known, { reportInput: true });
  if (!result.success) problems.push(...oneEach(result.error.issues).map((issue) => problem(issue, known)));
  if (!result.success || problems.length > 0) return { problems, warnings };
  return { value: result.data, problems, warnings };
}

type AnyType = z.core.$ZodType;
type Fields = Record<string, unknown>;

/** The position in the input, and what was found so far. */
type Place = {
  readonly root: AnyType;
  readonly path: (string | number)[];
  readonly problems: Problem[];
  readonly warnings: Problem[];
};

/** zod drops it from maps without a word. No name, label or annotation of Kubernetes begins with an underscore. */
const unusableKey = '__proto__';

/**
 * `input` without nulls and without the keys that `schema` does not know; each of those becomes a warning. What has neither is
 * not copied, as nearly every document that the operator reads.
 */
function withoutUnknown(schema: AnyType, input: unknown, place: Place): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'optional') return withoutUnknown(def.innerType, input, place);
  if (def.type === 'array' && Array.isArray(input)) return knownItems(def.element, input, place);
  if (!isRecord(input)) return input;
  if (def.type === 'object') return knownFields(def, input, place);
  return def.type === 'record' ? knownEntries(def.valueType, input, place) : input;
}

function knownItems(element: AnyType, input: readonly unknown[], place: Place): readonly unknown[] {
  const known = input.map((item, index) => inside(index, element, item, place));
  return known.every((item, index) => item === input[index]) ? input : known;
}

function knownEntries(valueType: AnyType, input: Fields, place: Place): Fields {
  if (Object.hasOwn(input, unusableKey)) place.problems.push(invalidKey([...place.path, unusableKey]));
  return knownOf(input, (key, value) => (isGiven(value) ? inside(key, valueType, value, place) : undefined));
}

/** `input` with what `known` makes of each value, without those of which it makes undefined. */
function knownOf(input: Fields, known: (key: string, value: unknown) => unknown): Fields {
  let isSame = true;
  const fields: [string, unknown][] = [];
  for (const [key, value] of Object.entries(input)) {
    const read = known(key, value);
    isSame &&= read === value && read !== undefined;
    if (read !== undefined) fields.push([key, read]);
  }
  return isSame ? input : Object.fromEntries(fields);
}

function inside(step: string | number, schema: AnyType, input: unknown, place: Place): unknown {
  place.path.push(step);
  const known = withoutUnknown(schema, input, place);
  place.path.pop();
  return known;
}

/** A loose object, such as the metadata of Kubernetes, has more fields than its shape. */
function knownFields({ shape, catchall }: z.core.$ZodObjectDef, input: Fields, place: Place): Fields {
  return knownOf(input, (key, value) => {
    const field = ownValue(shape, key) ?? catchall;
    if (field !== undefined && key === unusableKey) place.problems.push(invalidKey([...place.path, key]));
    else if (field === undefined) place.warnings.push(unknownKey(place, key, Object.keys(shape)));
    else if (isGiven(value)) return inside(key, field, value, place);
    return undefined;
  });
}

function isGiven(value: unknown): boolean {
  return value !== null && value !== undefined;
}

function unknownKey({ root, path }: Place, key: string, known: readonly string[]): Problem {
  const invisible = invisibleCharacter(key);
  const meant = knownFieldFor(root, path, key);
  const guess =
    meant === undefined ? `remove it, or use one of ${known.join(', ')}` : `did you mean "${meant}"?`;
  const remedy = invisible === undefined ? guess : `remove the invisible character ${invisible}`;
  return { path: [...path, key], what: 'is an unknown key and has no effect', remedy };
}

function invalidKey(path: Path): Problem {
  return { path, what: 'is not a valid key', remedy: 'begin it with a letter or a digit' };
}

/**
 * `issues` with one for each value: its wrong type, or else the last, which is the narrowest, of those with its size and form.
 * What rules of several fields find is kept.
 */
function oneEach(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  const chosen = new Map<string, z.core.$ZodIssue>();
  const keyOf = ({ path }: z.core.$ZodIssue): string => JSON.stringify(path.map(String));
  for (const issue of issues) {
    if (issue.code === 'custom' || chosen.get(keyOf(issue))?.code === 'invalid_type') continue;
    chosen.set(keyOf(issue), issue);
  }
  return issues.filter((issue) => issue.code === 'custom' || chosen.get(keyOf(issue)) === issue);
}

function problem(issue: z.core.$ZodIssue, input: unknown): Problem {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  // A rule of a mapping may be about one of its fields.
  const value = issue.code === 'custom' ? valueAt(input, path) : issue.input;
  return { path, value, ...explanation(issue) };
}

function valueAt(input: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) => (typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined),
    input,
  );
}

function explanation(issue: z.core.$ZodIssue): Diagnosis {
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = ownValue(typeWords, issue.expected) ?? issue.expected;
      if (issue.input === undefined) return { what: 'is missing', remedy: `add it: ${wanted}` };
      return { what: 'has the wrong type', remedy: `give ${wanted}` };
    }
    case 'invalid_value': {
      const near =
        typeof issue.input === 'string' ? meantWord(issue.input, issue.values.map(String)) : undefined;
      const remedy = `use ${near ?? oneOf(issue.values)}`;
      return { what: 'is not one of the allowed values', remedy };
    }
    case 'too_big':
      return { what: 'is too large', remedy: `use at most ${bound(issue.maximum, issue.origin)}` };
    case 'too_small':
      return { what: 'is too small', remedy: `use at least ${bound(issue.minimum, issue.origin)}` };
    case 'invalid_format':
      return { what: 'is not valid', remedy: issue.message };
    default:
      return { what: 'is not valid', remedy: issue.message };
  }
}

/** The one of `words` that `text` is probably meant to be: a similar one, or the only one that begins so. */
function meantWord(text: string, words: readonly string[]): string | undefined {
  const similar = nearest(text, words);
  if (similar !== undefined || text === '') return similar;
  const [longer, ...others] = words.filter((word) => word.toLowerCase().startsWith(text.toLowerCase()));
  return others.length === 0 ? longer : undefined;
}

const typeWords: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a whole number',
  string: 'a string (quote it where it looks like a number)',
  boolean: 'true or false',
  object: 'a mapping of fields',
  record: 'a mapping of strings',
  array: 'a list, each item after "- "',
};

const unitWords: Readonly<Record<string, string>> = { string: 'character', array: 'item' };

function bound(limit: number | bigint, origin: string): string {
  const unit = ownValue(unitWords, origin);
  if (unit === undefined) return String(limit);
  return `${String(limit)} ${unit}${Number(limit) === 1 ? '' : 's'}`;
}

function oneOf(values: readonly unknown[]): string {
  return values
    .map(String)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1');
}
