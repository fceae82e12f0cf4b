import { UsageError } from '../lib/usage-error.ts';
import { oneOf } from '../lib/document-rules.ts';
import type { Command } from './command.ts';
import { commandTable, shells } from './command-table.ts';
import { completionScript } from './completion-scripts.ts';
import { flagValue, parseOptions } from './options.ts';

/** `realm-operator completion`: prints the completion for a shell. */
export const completion: Command = (argv, { stdout }) => {
  const { positionals } = parseOptions(argv, {}, 1);
  const [word] = positionals;
  if (word === undefined) throw new UsageError(`give a shell: ${shells.join(', ')}`);
  const shell = flagValue('completion', word, oneOf(shells));
  stdout.write(completionScript(shell, commandTable));
  return Promise.resolve(0);
};
