import { z } from 'zod';

const percentage = /^(100|[1-9]?[0-9])%$/;
const countRemedy = 'use a number such as 1, or a share such as 25%';

/** How many Pods may be away for maintenance, as the user wrote it. */
export const podDisruptionBudget = z.object({
  maxUnavailable: z
    .union([z.int().min(0).max(1000), z.string().regex(percentage, countRemedy)], countRemedy)
    .meta({ 'x-kubernetes-int-or-string': true, pattern: percentage.source })
    .optional()
    .describe(
      'How many Pods may be away at a time while nodes are drained: a number, or a share of all such as 25%. Default: 1.',
    ),
});
