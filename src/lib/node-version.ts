/** The oldest Node.js that runs the programs: `import.meta.main` came with it. */
const oldest = [24, 2] as const;

/**
 * Why the programs cannot run on a Node.js; undefined if they can.
 *
 * @param version  e.g. `20.19.1`: `process.versions.node`.
 */
export function nodeVersionProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = oldest;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `realm-operator needs Node.js ${oldest.join('.')} or newer, and this is ${version}: install one from https://nodejs.org/, or use "make run", which brings its own`;
}
