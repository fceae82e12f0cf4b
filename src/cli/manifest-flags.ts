import { UsageError } from '../lib/usage-error.ts';
import { oneOf } from '../lib/document-rules.ts';
import { findingFormats, type FindingFormat } from './findings.ts';
import type { ManifestPaths } from './manifest-files.ts';
import { flagValue } from './options.ts';

/** The flags that `validate`, `render` and `standalone` share, as parsed. */
type Given = {
  readonly filename: readonly string[];
  readonly kustomize: readonly string[];
  readonly recursive: boolean;
  readonly output: string;
};

/** How many paths a command accepts. */
export const anyNumber = Number.MAX_SAFE_INTEGER;

/**
 * Where the manifests are: the arguments, and the values of -f and -k.
 *
 * @throws UsageError if there are none, or standard input is to be read twice.
 */
export function manifestPaths(
  { filename, kustomize, recursive }: Given,
  positionals: readonly string[],
): ManifestPaths {
  const paths = [...filename, ...positionals];
  if (paths.length + kustomize.length === 0)
    throw new UsageError('give the manifests with -f PATH or -k DIR, or as arguments: files, folders, or -');
  if (paths.filter((path) => path === '-').length > 1)
    throw new UsageError('-: is given twice, and standard input can be read once: give it once');
  return { paths, kustomizations: kustomize, isRecursive: recursive };
}

/** Parses the value of `--output`. @throws UsageError */
export function findingFormat({ output }: Given): FindingFormat {
  return flagValue('--output', output, oneOf(findingFormats));
}
