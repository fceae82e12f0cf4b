import type { Problem } from '../lib/problem.ts';
import {
  annotationProblems,
  isOwnObjectLabel,
  labelProblems,
  ownAnnotationWarnings,
  ownLabelWarnings,
  weakeningProblems,
} from './label-rules.ts';
import type { Relay } from './relay.ts';

const labelsPath = ['spec', 'commonMetadata', 'labels'] as const;
const annotationsPath = ['spec', 'commonMetadata', 'annotations'] as const;

/** Problems in the labels and annotations of every object of `relay`. */
export function commonMetadataProblems({ commonMetadata: { labels, annotations } }: Relay): Problem[] {
  return [
    ...labelProblems(labels, labelsPath),
    ...annotationProblems(annotations, annotationsPath),
    ...weakeningProblems(annotations, annotationsPath),
  ];
}

/** Labels and annotations of every object of `relay` that have no effect. */
export function commonMetadataWarnings({ commonMetadata: { labels, annotations } }: Relay): Problem[] {
  return [
    ...ownLabelWarnings(labels, labelsPath, isOwnObjectLabel),
    ...ownAnnotationWarnings(annotations, annotationsPath),
  ];
}
