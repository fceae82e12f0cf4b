import type { ZodType } from 'zod';
import type { Problem } from '../lib/problem.ts';
import { readWith } from '../lib/schema-reader.ts';

/** The spec of an object, and what is wrong with it. */
export type ParsedSpec<S> = {
  /** Absent if there is a problem. */
  readonly spec?: S;
  /** Every problem, unknown fields of the spec included. */
  readonly problems: readonly Problem[];
};

/** Parses `document`, in the shape of the API, by the schema of the whole object. */
export function parsedSpec<S>(schema: ZodType<{ readonly spec: S }>, document: unknown): ParsedSpec<S> {
  const { value, problems, warnings } = readWith(schema, document);
  const ofSpec = warnings.filter(({ path }) => path[0] === 'spec');
  if (value === undefined || ofSpec.length > 0) return { problems: [...problems, ...ofSpec] };
  return { spec: value.spec, problems: [] };
}
