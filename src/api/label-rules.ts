import { dnsSubdomainPattern } from '../lib/dns-name.ts';
import type { Path, Problem } from '../lib/problem.ts';
import { ownValue } from '../lib/record.ts';

type Labels = Readonly<Record<string, string>>;

/** The labels that the operator, or the controllers of Pods, set. The operator finds its objects and Pods by some of them. */
const ownPodLabels = [
  ...['name', 'instance', 'component', 'managed-by'].map((word) => `app.kubernetes.io/${word}`),
  'pod-template-hash',
  'controller-revision-hash',
  'pod-template-generation',
];

/** Source: k8s.io/apimachinery/pkg/api/validate/content, LabelKey and LabelValue. */
const name = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** The entries of `labels`, found at `path`, that the API server would reject. */
export function labelProblems(labels: Labels, path: Path): Problem[] {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...keyProblems(key, path),
    ...(value === '' || name.test(value)
      ? []
      : [{ path: [...path, key], what: 'is no value of a label', value, remedy: valueRemedy }]),
  ]);
}

/**
 * What an object may have of annotations, less what the operator and controllers of Kubernetes add, in bytes.
 *
 * Source: k8s.io/apimachinery/pkg/api/validation, TotalAnnotationSizeLimitB.
 */
const maxAnnotationBytes = 256 * 1024 - 2048;

/** The keys of `annotations`, found at `path`, that the API server would reject. */
export function annotationProblems(annotations: Labels, path: Path): Problem[] {
  return Object.keys(annotations).flatMap((key) => keyProblems(key, path));
}

/** The annotations found at `path` that would relax the restrictions of a container. */
export function weakeningProblems(annotations: Labels, path: Path): Problem[] {
  return Object.keys(annotations)
    .filter((key) => weakening.test(key))
    .map((key) => ({
      path: [...path, key],
      what: 'would change the security profile of the Pods, which meet the Pod Security Standard restricted',
      remedy: 'remove it',
    }));
}

/** Whether `annotations`, all that users give an object, found at `path`, are too large in all. */
export function annotationSizeProblems(annotations: Labels, path: Path): Problem[] {
  const bytes = Buffer.byteLength(Object.entries(annotations).flat().join(''));
  if (bytes <= maxAnnotationBytes) return [];
  const what = `take ${String(bytes)} bytes in all, keys and values, with those of spec.commonMetadata`;
  const remedy = `use at most ${String(maxAnnotationBytes)} bytes; the API server allows 256 KiB, with those of the operator`;
  return [{ path, what, remedy }];
}

/** Warnings about those of `annotations`, found at `path`, that the operator sets. */
export function ownAnnotationWarnings(annotations: Labels, path: Path): Problem[] {
  return Object.keys(annotations)
    .filter((key) => key.startsWith(ownAnnotationPrefix))
    .map((key) => ({
      path: [...path, key],
      what: 'has no effect: the operator sets such annotations itself',
      remedy: 'remove it, or use a key of your own',
    }));
}

/** What the keys of the operator's annotations begin with. */
export const ownAnnotationPrefix = 'realm-operator.dev/';

/** Annotations that relax the restrictions of a container; fields have replaced them. */
const weakening =
  /^(container\.apparmor\.security\.beta|(container\.)?seccomp\.security\.alpha)\.kubernetes\.io\//;

/** Whether the operator sets the label `key` of its objects. */
export function isOwnObjectLabel(key: string): boolean {
  return isOwnPodLabel(key) || key === 'app.kubernetes.io/version';
}

/** Whether the operator, or a controller of Pods, sets the label `key` of Pods. */
export function isOwnPodLabel(key: string): boolean {
  return ownPodLabels.includes(key);
}

/** Warnings about those of `labels` that the operator sets. @param isOwn  whether the operator sets a label. */
export function ownLabelWarnings(
  labels: Labels,
  path: Path,
  isOwn: (key: string) => boolean = isOwnPodLabel,
): Problem[] {
  return Object.keys(labels)
    .filter(isOwn)
    .map((key) => ({
      path: [...path, key],
      what: 'has no effect: the operator sets this label itself, since objects and Pods are found by it',
      value: ownValue(labels, key),
      remedy: 'remove it, or use a key of your own',
    }));
}

const valueRemedy = 'use at most 63 letters, digits, "-", "_" and ".", first and last a letter or digit';

/** Whether `key` is no qualified name, as those of labels, annotations and finalizers are. */
export function keyProblems(key: string, path: Path): Problem[] {
  const [last = '', ...before] = key.split('/').toReversed();
  const isValid =
    name.test(last) &&
    before.length < 2 &&
    before.every((domain) => domain.length <= 253 && dnsSubdomainPattern.test(domain));
  if (isValid) return [];
  return [
    { path: [...path, key], what: 'is no valid key', remedy: 'use a key such as team or example.com/team' },
  ];
}
