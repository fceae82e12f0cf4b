import type { Command } from './command.ts';
import { validateOptions } from './command-options.ts';
import { counts, findingsText, summaryText } from './findings.ts';
import { anyNumber, findingFormat, manifestPaths } from './manifest-flags.ts';
import { readManifests } from './manifests.ts';
import { nodeFindings } from './node-findings.ts';
import { parseOptions } from './options.ts';

/** `realm-operator validate`: checks manifests, e.g. in a pipeline. */
export const validate: Command = async (argv, { stdin, stdout }) => {
  const { values, positionals } = parseOptions(argv, validateOptions, anyNumber);
  const format = findingFormat(values);
  const { relays, placed, findings, skipped } = await readManifests(
    manifestPaths(values, positionals),
    stdin,
  );
  const report = { findings: [...findings, ...nodeFindings(placed)], relays: relays.length, skipped };
  const text = findingsText(report, format);
  if (text !== '') stdout.write(text);
  const hasSummary = format === 'text' || format === 'github';
  if (hasSummary && !values.quiet) stdout.write(summaryText(report));
  const { errors, warnings } = counts(report);
  return errors > 0 || (values.strict && warnings > 0) ? 1 : 0;
};
