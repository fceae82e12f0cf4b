import type { Problem } from '../lib/problem.ts';
import { annotationProblems, labelProblems, ownLabelWarnings } from './label-rules.ts';
import type { Relay } from './relay.ts';

const labelsPath = ['spec', 'podTemplate', 'metadata', 'labels'] as const;
const annotationsPath = ['spec', 'podTemplate', 'metadata', 'annotations'] as const;
const specPath = ['spec', 'podTemplate', 'spec'] as const;

/** Annotations that relax the restrictions of a container; fields have replaced them. */
const weakening =
  /^(container\.apparmor\.security\.beta|(container\.)?seccomp\.security\.alpha)\.kubernetes\.io\//;

/** Problems in the Pod template of `relay`; the API server reports the others. */
export function podTemplateProblems({ podTemplate }: Relay): Problem[] {
  const { labels, annotations, nodeSelector } = podTemplate;
  return [
    ...labelProblems(labels, labelsPath),
    ...annotationProblems(annotations, annotationsPath),
    ...Object.keys(annotations)
      .filter((key) => weakening.test(key))
      .map((key) => ({
        path: [...annotationsPath, key],
        what: 'would change the security profile of the Pods, which meet the Pod Security Standard restricted',
        remedy: 'remove it',
      })),
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
  return [
    ...ownLabelWarnings(labels, labelsPath),
    ...Object.keys(annotations)
      .filter((key) => key.startsWith('realm-operator.dev/'))
      .map((key) => ({
        path: [...annotationsPath, key],
        what: 'has no effect: the operator sets such annotations itself',
        remedy: 'remove it, or use a key of your own',
      })),
  ];
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
