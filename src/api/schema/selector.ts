import { z } from 'zod';
import { text } from './parts.ts';

/** Marks a list that is replaced as a whole. */
export const atomic = { 'x-kubernetes-list-type': 'atomic' };

/** A mapping of at most 64 strings to strings. */
export function strings(description: string): z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodString>> {
  return z
    .record(z.string(), z.string().max(65_536))
    .optional()
    .meta({ maxProperties: 64 })
    .describe(description);
}

/** A list of at most 64 strings. */
export function stringList(description: string): z.ZodOptional<z.ZodArray<z.ZodString>> {
  return z.array(z.string().max(317)).max(64).optional().meta(atomic).describe(description);
}

/** Selects objects by their labels. */
export const labelSelector = z.object({
  matchLabels: strings('Labels and their values.'),
  matchExpressions: z
    .array(
      z.object({
        key: text(317).describe('Label key.'),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe('Relation of key and values.'),
        values: stringList('Values, with In and NotIn.'),
      }),
    )
    .max(64)
    .optional()
    .meta(atomic)
    .describe('Requirements, all of which must hold.'),
});
