import { join } from 'node:path';
import { blockProblems } from './docs/block-kinds.ts';
import { linkProblems } from './docs/links.ts';
import { pageProblemText } from './docs/page-problem.ts';
import { readPages } from './docs/pages.ts';
import { writeSite } from './docs/site.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'dist', 'site');

const pages = readPages(root);
const problems = [...linkProblems(pages, root), ...blockProblems(pages.flatMap(({ blocks }) => blocks))];
for (const problem of problems) process.stderr.write(`${pageProblemText(problem)}\n`);
if (problems.length > 0) process.exitCode = 1;
else {
  writeSite(pages, root, folder);
  process.stdout.write(`${String(pages.length)} pages: open dist/site/index.html\n`);
}
