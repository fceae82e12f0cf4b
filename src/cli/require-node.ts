// Imported before everything else: on an older Node.js the rest may fail in ways that nobody understands, or do nothing.
import { nodeVersionProblem } from '../lib/node-version.ts';

const problem = nodeVersionProblem(process.versions.node);
if (problem !== undefined) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
