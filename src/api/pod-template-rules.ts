import type { Problem } from '../lib/problem.ts';
import {
  annotationProblems,
  annotationSizeProblems,
  labelProblems,
  ownAnnotationWarnings,
  ownLabelWarnings,
  weakeningProblems,
} from './label-rules.ts';
import type { Relay } from './relay.ts';

const labelsPath = ['spec', 'podTemplate', 'metadata', 'labels'] as const;
const annotationsPath = ['spec', 'podTemplate', 'metadata', 'annotations'] as const;
const specPath = ['spec', 'podTemplate', 'spec'] as const;

/** Problems in the Pod template of `relay`; the API server reports the others. */
export function podTemplateProblems({
  podTemplate,
  commonMetadata,
}: Pick<Relay, 'podTemplate' | 'commonMetadata'>): Problem[] {
  const { labels, annotations, nodeSelector } = podTemplate;
  return [
    ...labelProblems(labels, labelsPath),
    ...annotationProblems(annotations, annotationsPath),
    ...weakeningProblems(annotations, annotationsPath),
    ...annotationSizeProblems({ ...commonMetadata.annotations, ...annotations }, annotationsPath),
    ...labelProblems(nodeSelector, [...specPath, 'nodeSelector']),
    ...doubled(podTemplate.imagePullSecrets, 'imagePullSecrets', 'name'),
    ...doubled(
      (podTemplate.topologySpreadConstraints ?? []).map(
        ({ topologyKey, whenUnsatisfiable }) => `${topologyKey} ${whenUnsatisfiable}`,
      ),
      'topologySpreadConstraints',
      'topologyKey and whenUnsatisfiable',
    ),
  ];
}

/** Parts of the Pod template that have no effect. */
export function podTemplateWarnings({ podTemplate: { labels, annotations } }: Relay): Problem[] {
  return [...ownLabelWarnings(labels, labelsPath), ...ownAnnotationWarnings(annotations, annotationsPath)];
}

function doubled(keys: readonly string[], field: string, what: string): Problem[] {
  return keys.flatMap((key, index) =>
    keys.indexOf(key) === index
      ? []
      : [
          {
            path: [...specPath, field, index],
            what: `has the same ${what} as another`,
            value: key,
            remedy: 'remove one of them',
          },
        ],
  );
}
