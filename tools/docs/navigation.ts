import type { Page } from './pages.ts';
import type { Entry, Group } from './template.ts';

type Chapter = { readonly title: string; readonly pages: readonly RegExp[] };

/** The chapters in their order, and the pages of each; a page that none has is in the last one. */
const chapters: readonly Chapter[] = [
  { title: 'Start', pages: [/^README\.md$/, /^docs\/(?:quickstart|install)\.md$/, /^docs\/concepts\.md$/] },
  { title: 'How to', pages: [/^docs\/how-to\//] },
  {
    title: 'Operate',
    pages: [
      /^docs\/troubleshooting\.md$/,
      /^docs\/(?:status|runbooks|upgrade|gitops|security|metrics|reliability|performance)\.md$/,
      /^charts\//,
    ],
  },
  { title: 'Reference', pages: [/^docs\/(?:api|relay|cli|realm-compat|gateway-api)\.md$/] },
  { title: 'Project', pages: [/^docs\/architecture\.md$/, /^[A-Z_]+\.md$/, /./] },
];

/** The pages as the site's menu lists them. Decisions are on a page of their own. */
export function navigation(pages: readonly Page[], files: ReadonlyMap<string, string>): readonly Group[] {
  const left = new Set(pages.filter(({ path }) => !path.startsWith('docs/adr/')));
  return chapters.map(({ title, pages: patterns }) => {
    const entries: Entry[] = [];
    for (const page of patterns.flatMap((pattern) => [...left].filter(({ path }) => pattern.test(path)))) {
      if (left.delete(page)) entries.push({ title: shortTitle(page), file: files.get(page.path) ?? '' });
    }
    return { title, entries };
  });
}

/** The title without what the menu shows already. */
function shortTitle({ path, title }: Page): string {
  return path === 'README.md' ? 'Overview' : title;
}
