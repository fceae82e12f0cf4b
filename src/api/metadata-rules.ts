import type { z } from 'zod';
import type { Problem } from '../lib/problem.ts';
import { annotationProblems, annotationSizeProblems, keyProblems, labelProblems } from './label-rules.ts';
import type { objectMeta } from './schema/object-meta.ts';

/** What of the metadata of a RealmRelay the API server refuses, each field being of the right type. */
export function metadataProblems(metadata: z.infer<typeof objectMeta>): Problem[] {
  const { labels = {}, annotations = {}, finalizers = [], ownerReferences = [] } = metadata;
  const controllers = ownerReferences.filter(({ controller }) => controller === true);
  return [
    ...labelProblems(labels, ['metadata', 'labels']),
    ...annotationProblems(annotations, ['metadata', 'annotations']),
    ...annotationSizeProblems(annotations, ['metadata', 'annotations']),
    ...finalizers.flatMap((name, index) =>
      keyProblems(name, []).map(({ what }) => ({
        ...{ path: ['metadata', 'finalizers', index], what, value: name },
        remedy: 'use a name such as example.com/backup',
      })),
    ),
    ...ownerReferences.flatMap(({ apiVersion, kind }, index) =>
      apiVersion === 'v1' && kind === 'Event'
        ? [
            {
              path: ['metadata', 'ownerReferences', index, 'kind'],
              ...{ what: 'cannot be an owner', value: kind, remedy: 'remove the owner' },
            },
          ]
        : [],
    ),
    ...(controllers.length < 2
      ? []
      : [
          {
            path: ['metadata', 'ownerReferences'],
            what: 'has more than one controller',
            remedy: 'set controller: true on one owner',
          },
        ]),
  ];
}
