import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { Page } from './pages.ts';
import type { PageProblem } from './page-problem.ts';

/** Where a relative link leads. */
export type Target = {
  /** A path in the repository. */
  readonly path: string;
  /** Without `#`; `''` without one. */
  readonly anchor: string;
};

/** The target of `href` on the page at `from`; undefined if it leaves the repository, as `https:` and `mailto:` do. */
export function targetOf(from: string, href: string): Target | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(href)) return undefined;
  const [path = '', anchor = ''] = href.split('#', 2).map(decodeURIComponent);
  if (path === '') return { path: from, anchor };
  return { path: posix.normalize(posix.join(posix.dirname(from), path)).replace(/\/$/, ''), anchor };
}

/** The links of `pages` that lead nowhere: to a file that does not exist below `root`, or to a heading that its page lacks. */
export function linkProblems(pages: readonly Page[], root: string): readonly PageProblem[] {
  const byPath = new Map(pages.map((page) => [page.path, page]));
  return pages.flatMap((page) =>
    page.links.flatMap(({ href, line }) => {
      const what = fault(page.path, href, byPath, root);
      return what === undefined ? [] : [{ page: page.path, line, what: `${what}: correct the link` }];
    }),
  );
}

function fault(
  from: string,
  href: string,
  pages: ReadonlyMap<string, Page>,
  root: string,
): string | undefined {
  const target = targetOf(from, href);
  if (target === undefined) return URL.canParse(href) ? undefined : `"${href}" is no URL`;
  const { path, anchor } = target;
  const page = pages.get(path);
  if (page === undefined && (path.startsWith('..') || !existsSync(join(root, path)))) {
    return `"${href}" leads to ${path}, which does not exist`;
  }
  if (anchor === '') return undefined;
  if (page === undefined) return `"${href}" has an anchor, and ${path} is no page`;
  const isThere = page.headings.some((heading) => heading.anchor === anchor);
  return isThere ? undefined : `"${href}" leads to a heading that ${path} does not have`;
}
