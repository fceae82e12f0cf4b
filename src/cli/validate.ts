import { UsageError } from '../lib/usage-error.ts';
import type { Command } from './command.ts';
import { findingText, readManifests } from './manifests.ts';
import { nodeFindings } from './node-findings.ts';
import { parseOptions } from './options.ts';

export const usage = `Usage: realm-operator validate -f PATH… [--strict]

Checks RealmRelay manifests and prints every problem as "file:line: field: problem, value: remedy". Relays on hostNetwork that
need the same ports on the same nodes are a warning.

  -f, --filename PATH  a file, a folder (its .yaml, .yml and .json files) or - for standard input; may be repeated
      --strict         fail on warnings, too

Exit code: 0 success, 1 a manifest is not valid, 2 wrong usage.
`;

/** `realm-operator validate`: checks manifests, e.g. in a pipeline. */
export const validate: Command = async (argv, { stdin, stdout }) => {
  const { values } = parseOptions(argv, {
    filename: { type: 'string', short: 'f', multiple: true, default: [] },
    strict: { type: 'boolean', default: false },
  });
  const { filename, strict } = values;
  if (filename.length === 0) throw new UsageError('give the manifests with -f PATH');
  const { relays, placed, findings: ofFiles } = await readManifests(filename, stdin);
  const findings = [...ofFiles, ...nodeFindings(placed)];
  for (const finding of findings) stdout.write(`${findingText(finding)}\n`);
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.length - errors;
  stdout.write(
    `${counted(relays.length, 'valid relay')}, ${counted(errors, 'problem')}, ${counted(warnings, 'warning')}\n`,
  );
  return errors > 0 || (strict && warnings > 0) ? 1 : 0;
};

function counted(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? '' : 's'}`;
}
