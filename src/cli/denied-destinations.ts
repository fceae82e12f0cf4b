import { ipRanges } from '../config/address-rules.ts';
import { defaultDeniedDestinations } from '../desired/platform.ts';
import type { Findings } from '../lib/document-rules.ts';
import { problemText } from '../lib/problem.ts';
import { UsageError } from '../lib/usage-error.ts';

/** The default of `--denied-destinations`. */
export const defaultDenied = defaultDeniedDestinations.join(',');

/**
 * Parses the value of `--denied-destinations`: addresses and ranges, separated by commas; '' = none.
 *
 * @throws UsageError
 */
export function deniedDestinations(text: string): readonly string[] {
  if (text === '') return [];
  const findings: Findings = { problems: [], warnings: [] };
  const ranges = ipRanges(text.split(','), ['--denied-destinations'], findings);
  const [problem] = findings.problems;
  if (problem === undefined) return ranges ?? [];
  throw new UsageError(problemText(problem));
}
