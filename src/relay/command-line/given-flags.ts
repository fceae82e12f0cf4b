import { parseArgs } from 'node:util';
import { nearest } from '../../lib/problem.ts';
import { flagTable, shownFlagTable } from './flag-table.ts';
import { UsageError } from '../../lib/usage-error.ts';
import { ownValue } from '../../lib/record.ts';

/** The values of the given flags, by their long names; '' for a flag without a value. */
export type GivenFlags = ReadonlyMap<string, string>;

/**
 * Reads flags as Realm does: `-l ADDR`, `-l=ADDR`, `-lADDR`, `--listen ADDR`, `--listen=ADDR`, `-u6`.
 *
 * @throws UsageError for an unknown flag, one given twice, a missing value, or a value too many.
 */
export function givenFlags(argv: readonly string[]): GivenFlags {
  const options = Object.fromEntries(
    Object.entries(flagTable).map(([name, { short, value }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), ...(short && { short }) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === 'positional') throw new UsageError(`"${token.value}": is not expected here`);
    if (token.kind !== 'option') continue;
    if (given.has(token.name)) throw new UsageError(`${token.rawName}: is given twice`);
    given.set(token.name, checkedValue(token.name, token.rawName, token.value));
  }
  return given;
}

function checkedValue(name: string, rawName: string, value: string | undefined): string {
  const flag = ownValue(flagTable, name);
  if (flag === undefined) throw new UsageError(`${rawName}: unknown flag${suggestion(name)}`);
  const written = rawName.startsWith('--') ? value : value?.replace(/^=/, ''); // -l=ADDR
  if (flag.value === undefined) return withoutValue(rawName, written);
  if (written === undefined || written === '')
    throw new UsageError(`${rawName}: needs a value: ${flag.value}`);
  return written;
}

function withoutValue(rawName: string, written: string | undefined): string {
  if (written !== undefined) throw new UsageError(`${rawName}: takes no value`);
  return '';
}

function suggestion(name: string): string {
  const near = nearest(name, Object.keys(shownFlagTable));
  return near === undefined ? ': see --help' : `: did you mean --${near}?`;
}
