import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';

const chart = join(import.meta.dirname, '..', 'charts', 'realm-operator');
const heading = '## Values\n';

/** A value of the chart that values.yaml explains. */
type ChartValue = { readonly path: string; readonly value: unknown; readonly comment: string };

/** The chart's README.md: as written by hand up to the table of values, which is made from values.yaml. */
export function chartReadme(): string {
  const [byHand = ''] = text('README.md').split(heading);
  const rows = chartValues().map(
    ({ path, value, comment }) =>
      `| \`${path}\` | \`${JSON.stringify(value)}\` | ${comment.replaceAll('|', '\\|')} |`,
  );
  return [
    byHand + heading,
    'Generated from [values.yaml](values.yaml) by `make generate`.',
    '',
    '| value | default | meaning |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** The values with a comment directly above, in their order. */
function chartValues(): ChartValue[] {
  const values = load(text('values.yaml'));
  const found: ChartValue[] = [];
  const parents: string[] = [];
  let comment: string[] = [];
  for (const line of text('values.yaml').split('\n')) {
    const [, indent = '', words, key] = /^( *)(?:# ?(.*)|([A-Za-z_]+):.*)$/.exec(line) ?? [];
    if (words !== undefined) comment.push(words);
    if (key !== undefined) {
      parents.splice(indent.length / 2, Infinity, key);
      if (comment.length > 0)
        found.push({ path: parents.join('.'), value: valueAt(values, parents), comment: comment.join(' ') });
    }
    if (words === undefined) comment = []; // a blank line ends a comment, too
  }
  return found;
}

function valueAt(values: unknown, path: readonly string[]): unknown {
  return path.reduce((value, key) => (value as Record<string, unknown>)[key], values);
}

function text(file: string): string {
  return readFileSync(join(chart, file), 'utf8');
}
