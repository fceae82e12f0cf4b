import { bundle } from './build.ts';
import { packageSbom, type Component } from './sbom.ts';

/** Licences of packages that may be shipped with this Apache-2.0 project. Adding one needs a decision. */
const allowed: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Unlicense',
]);

/** A line for each component whose licence is unknown or not allowed. */
export function licenceProblems(components: readonly Component[]): string[] {
  return components.flatMap(({ name, version = '', licenses }) => {
    const id = licenses?.[0].expression ?? '';
    return allowed.has(id)
      ? []
      : [`${name} ${version}: licence "${id}" is not in the list of tools/licences.ts`];
  });
}

if (import.meta.main) {
  const { components } = packageSbom(await bundle({ write: false }));
  for (const problem of licenceProblems(components)) {
    process.stderr.write(`${problem}\n`);
    process.exitCode = 1;
  }
}
