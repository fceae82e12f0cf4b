import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, posix } from 'node:path';
import { buildSync } from 'esbuild';
import { Marked, type Token, type Tokens } from 'marked';
import { targetOf } from './links.ts';
import { navigation } from './navigation.ts';
import { type Page, plainText } from './pages.ts';
import { escaped, layout } from './template.ts';

const repository = 'https://github.com/realm-operator/realm-operator';
const assets = join(import.meta.dirname, 'assets');

/** What the search finds: a heading with the text below it. */
type Section = {
  readonly id: number;
  readonly url: string;
  readonly page: string;
  readonly heading: string;
  readonly text: string;
};

/**
 * Writes the site into `folder`, which is replaced. It needs no server: links are relative, and the search is a script.
 *
 * @param root  the repository, for the files that pages show or link to.
 */
export function writeSite(pages: readonly Page[], root: string, folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  const all = [...pages, ...folderPages(pages)];
  const files = new Map(all.map((page) => [page.path, outputPath(page.path)]));
  const groups = navigation(pages, files);
  for (const page of all) {
    const out = outputPath(page.path);
    const content = htmlOf(page, files, root, folder);
    write(join(folder, out), layout({ title: page.title, content, groups, out, toRoot: toRoot(out) }));
  }
  const sections = pages.flatMap((page) => sectionsOf(page, outputPath(page.path)));
  const numbered: Section[] = sections.map((section, id) => ({ id, ...section }));
  write(join(folder, 'search-data.js'), `globalThis.sections = ${JSON.stringify(numbered)};\n`);
  write(join(folder, 'site.css'), readFileSync(join(assets, 'site.css'), 'utf8'));
  write(join(folder, 'site.js'), bundled(join(assets, 'site.ts')));
}

/** README.md is the index of its folder, as on GitHub. */
function outputPath(path: string): string {
  return path.replace(/README\.md$/, 'index.md').replace(/\.md$/, '.html');
}

function toRoot(out: string): string {
  return '../'.repeat(out.split('/').length - 1);
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** A list of its pages for each folder that a page links to and that has no README. */
function folderPages(pages: readonly Page[]): readonly Page[] {
  const paths = pages.map(({ path }) => path);
  const linked = pages.flatMap(({ path, links }) =>
    links.flatMap(({ href }) => targetOf(path, href)?.path ?? []),
  );
  const folders = new Set(linked.filter((path) => paths.some((each) => posix.dirname(each) === path)));
  return [...folders].flatMap((folder) => {
    if (paths.includes(`${folder}/README.md`)) return [];
    const listed = pages.filter(({ path }) => posix.dirname(path) === folder);
    const title = folder === 'docs/adr' ? 'Decisions' : folder;
    const items = listed.map((page) => `- [${page.title}](${posix.basename(page.path)})`);
    const source = `# ${title}\n\n${items.join('\n')}\n`;
    const tokens = new Marked().lexer(source);
    return [{ path: `${folder}/README.md`, source, tokens, title, headings: [], links: [], blocks: [] }];
  });
}

function htmlOf(page: Page, files: ReadonlyMap<string, string>, root: string, folder: string): string {
  const out = outputPath(page.path);
  const headings = page.headings.values();
  const moved = (href: string): string => {
    const target = targetOf(page.path, href);
    if (target === undefined) return href;
    const anchor = target.anchor === '' ? '' : `#${target.anchor}`;
    const file = files.get(target.path) ?? files.get(`${target.path}/README.md`);
    if (file !== undefined) return relative(out, file) + anchor;
    if (!isPicture(target.path)) return `${repository}/blob/main/${target.path}${anchor}`;
    mkdirSync(dirname(join(folder, target.path)), { recursive: true });
    cpSync(join(root, target.path), join(folder, target.path));
    return relative(out, target.path);
  };
  const renderer = new Marked({
    renderer: {
      heading({ depth, tokens }: Tokens.Heading) {
        const anchor = headings.next().value?.anchor ?? '';
        const link = `<a class="anchor" href="#${anchor}" aria-label="Link to this section">#</a>`;
        const level = String(depth);
        return `<h${level} id="${anchor}">${this.parser.parseInline(tokens)} ${link}</h${level}>\n`;
      },
      // Its renderer is larger than this site; GitHub has one.
      code({ lang, text }: Tokens.Code) {
        if (lang !== 'mermaid') return false;
        const link = `<a href="${repository}/blob/main/${page.path}">The diagram as a picture</a>`;
        return `<p>${link}, from this text:</p>\n<pre><code>${escaped(text)}</code></pre>\n`;
      },
      table(token: Tokens.Table) {
        const row = (cells: readonly Tokens.TableCell[], tag: string): string =>
          `<tr>${cells.map(({ tokens }) => `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`).join('')}</tr>`;
        const body = token.rows.map((cells) => row(cells, 'td')).join('\n');
        return `<div class="scroll"><table><thead>${row(token.header, 'th')}</thead><tbody>${body}</tbody></table></div>\n`;
      },
    },
    walkTokens(token: Token) {
      if (token.type === 'link' || token.type === 'image') {
        const link = token as Tokens.Link | Tokens.Image;
        link.href = moved(link.href);
      }
      if (token.type === 'html') {
        const html = token as Tokens.HTML;
        html.text = html.text.replace(/\b(src|srcset|href)="([^"]*)"/g, (_all, key: string, href: string) => {
          return `${key}="${moved(href)}"`;
        });
      }
    },
  });
  return renderer.parse(page.source, { async: false });
}

function relative(from: string, to: string): string {
  return posix.relative(posix.dirname(from), to) || posix.basename(to);
}

function isPicture(path: string): boolean {
  return ['.png', '.svg', '.jpg', '.gif'].includes(extname(path)) && existsSync(path);
}

/** The sections of a page: each heading with the text up to the next one. */
function sectionsOf(page: Page, url: string): readonly Omit<Section, 'id'>[] {
  const sections: Omit<Section, 'id'>[] = [];
  const headings = page.headings.values();
  for (const token of page.tokens) {
    if (token.type === 'heading') {
      const { anchor = '', text = '' } = headings.next().value ?? {};
      sections.push({ url: `${url}#${anchor}`, page: page.title, heading: text, text: '' });
      continue;
    }
    const last = sections.at(-1);
    if (last === undefined || token.type === 'space') continue;
    sections[sections.length - 1] = { ...last, text: `${last.text} ${plainText([token])}`.trim() };
  }
  return sections;
}

function bundled(entry: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    charset: 'utf8',
  });
  return outputFiles[0]?.text ?? '';
}
