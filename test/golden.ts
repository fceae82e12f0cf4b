import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { dump } from 'js-yaml';

/** Compares `value` as YAML with `test/golden/<name>.yaml`; `make golden` rewrites the files. */
export function expectGolden(name: string, value: unknown): void {
  const file = new URL(`golden/${name}.yaml`, import.meta.url);
  const actual = dump(value, { sortKeys: true, noRefs: true, lineWidth: 110 });
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, actual);
  expect(actual).to.equal(readFileSync(file, 'utf8'));
}
