import { allowedGrowth, type Growth, isLeak, type Ledger } from './ledger.ts';

/** The result of a run as text: tables of streams, faults, errors and growth, then what must not be. */
export function report(ledger: Ledger): string {
  const streams = [...ledger.kinds].map(([kind, { streams, whole, errors, bytes }]) => [
    kind,
    ...[streams, whole, errors, Math.round(bytes / 1e6)].map((count) => count.toLocaleString('en')),
  ]);
  return [
    table(['', 'streams', 'whole', 'errors', 'MB'], streams),
    `datagrams sent again: ${String(ledger.sentAgain)}`,
    table(['fault', 'times'], pairs(ledger.faults)),
    table(['error: the fault that explains it', 'streams'], pairs(ledger.errors)),
    table(
      ['process', 'growth for each 1,000 streams', '', '95 % from', 'to', 'allowed', 'samples'],
      ledger.growths().map(growthRow),
    ),
    violations(ledger).join('\n'),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** Everything that must not be. */
export function violations(ledger: Ledger): readonly string[] {
  const leaks = ledger.growths().filter(isLeak).map(leakText);
  return [...ledger.violations, ...leaks].map((what) => `VIOLATION ${what}`);
}

function leakText(growth: Growth): string {
  const [, , value, low, high] = growthRow(growth);
  return `${growth.process}: ${growth.what} grow by ${value ?? ''} (${low ?? ''} to ${high ?? ''}) for each 1,000 streams`;
}

function growthRow({ process, what, slope, samples }: Growth): string[] {
  const numbers = [slope.value, slope.low, slope.high].map((value) => value.toFixed(2));
  return [process, what, ...numbers, String(allowedGrowth[what] ?? 0), String(samples)];
}

function pairs(counts: ReadonlyMap<string, number>): string[][] {
  return [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => [name, String(count)]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 || (column === 1 && Number.isNaN(Number(cell.replaceAll(',', ''))))
          ? cell.padEnd(width)
          : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  return [head, ...rows].map(line).join('\n');
}
