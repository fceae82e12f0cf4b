import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { marked, type Token, type Tokens } from 'marked';
import { type Block, blocksOf } from './blocks.ts';

/** A heading, and the anchor that GitHub and the site give it. */
export type Heading = { readonly depth: number; readonly text: string; readonly anchor: string };

/** A link or a picture, and where it is. */
export type Link = { readonly href: string; readonly line: number };

/** A page of the documentation. */
export type Page = {
  /** Its path in the repository, with `/`. */
  readonly path: string;
  readonly source: string;
  readonly tokens: readonly Token[];
  /** The text of its first heading. */
  readonly title: string;
  readonly headings: readonly Heading[];
  readonly links: readonly Link[];
  readonly blocks: readonly Block[];
};

/** The files that are pages. */
const patterns = [
  '{README,CONTRIBUTING,CHANGELOG,SECURITY,CODE_OF_CONDUCT}.md',
  'docs/**/*.md',
  'charts/*/README.md',
];

/** Every page of the repository below `root`, sorted by path. */
export function readPages(root: string): readonly Page[] {
  return globSync(patterns, { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .toSorted()
    .map((path) => parsedPage(path, readFileSync(join(root, path), 'utf8')));
}

/** The page with the Markdown `source`. */
export function parsedPage(path: string, source: string): Page {
  const tokens = marked.lexer(source);
  const headings: Heading[] = [];
  const hrefs: string[] = [];
  const seen = new Map<string, number>();
  void marked.walkTokens(tokens, (token) => {
    if (token.type === 'heading') headings.push(heading(token as Tokens.Heading, seen));
    else hrefs.push(...hrefsOf(token));
  });
  return {
    path,
    source,
    tokens,
    title: headings[0]?.text ?? path,
    headings,
    links: hrefs.map((href) => ({ href, line: lineOf(source, href) })),
    blocks: blocksOf(path, source),
  };
}

function heading({ depth, tokens }: Tokens.Heading, seen: Map<string, number>): Heading {
  const text = plainText(tokens);
  const base = slug(text);
  const count = seen.get(base) ?? 0;
  seen.set(base, count + 1);
  return { depth, text, anchor: count === 0 ? base : `${base}-${String(count)}` };
}

/** The anchor that GitHub gives a heading: letters, digits, `-` and `_` stay, a space becomes `-`. */
function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-');
}

function hrefsOf(token: Token): readonly string[] {
  if (token.type === 'link' || token.type === 'image') return [(token as Tokens.Link | Tokens.Image).href];
  if (token.type !== 'html') return [];
  const { text } = token as Tokens.HTML;
  return [...text.matchAll(/\b(?:src|srcset|href)="([^"]*)"/g)].map(([, href = '']) => href);
}

function lineOf(source: string, href: string): number {
  const at = Math.max(
    source.indexOf(`](${href}`),
    source.indexOf(`"${href}"`),
    source.indexOf(`<${href}>`),
    0,
  );
  return source.slice(0, at).split('\n').length;
}

/** The text of `tokens` without marks: what a reader sees and searches. */
export function plainText(tokens: readonly Token[]): string {
  return tokens.map(tokenText).join('');
}

function tokenText(token: Token): string {
  if (token.type === 'html') return '';
  if (token.type === 'table') {
    const { header, rows } = token as Tokens.Table;
    return [header, ...rows].map((cells) => cells.map((cell) => plainText(cell.tokens)).join(' ')).join('\n');
  }
  if (token.type === 'list') {
    return (token as Tokens.List).items.map((item) => plainText(item.tokens)).join('\n');
  }
  const { tokens, text } = token as { readonly tokens?: readonly Token[]; readonly text?: string };
  return tokens === undefined ? unescaped(text ?? ' ') : plainText(tokens);
}

function unescaped(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
}
