import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { chart, matrix } from './chart.ts';

type Schema = { readonly properties?: Readonly<Record<string, Schema>> };

const text = readFileSync(join(chart, 'values.yaml'), 'utf8');
const values = load(text);
const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as Schema;

/** The values that the schema names, each by its path. */
function schemaPaths({ properties }: Schema, path = ''): string[] {
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([name, inner]) => schemaPaths(inner, `${path}/${name}`));
}

/** Whether `tree` has a value at `path`, even if it is null. */
function has(tree: unknown, path: string): boolean {
  let node = tree;
  for (const name of path.split('/').slice(1)) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, name)) return false;
    node = (node as Record<string, unknown>)[name];
  }
  return true;
}

// Values that Helm adds, and fields of a container that the defaults leave out.
const unset = ['/global', '/resources/claims'];
const paths = schemaPaths(schema).filter((path) => !unset.includes(path));

describe('values of the chart', () => {
  it('match the schema', () => {
    expect(paths.filter((path) => !has(values, path))).to.deep.equal([]);
  });

  it('are each set by a test', () => {
    const untried = paths.filter((path) => !Object.values(matrix).some((tried) => has(tried, path)));
    expect(untried).to.deep.equal([]);
  });

  it('are each explained by a comment', () => {
    const lines = text.split('\n');
    const isExplained = (index: number): boolean => {
      const [above = '', line = ''] = [lines[index - 1], lines[index]];
      // The entries below a heading explain it; Kubernetes documents those below resources.
      return /^\s*#/.test(above) || /^\s*\w+:$/.test(line) || /^\s+(cpu|memory): /.test(line);
    };
    const bare = lines.filter((line, index) => /^\s*\w+:/.test(line) && !isExplained(index));
    expect(bare).to.deep.equal([]);
  });
});
