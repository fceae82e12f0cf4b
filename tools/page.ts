import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

const src = join(import.meta.dirname, '..', 'src');
const style = 'telemetry/page/page.css';
/** What both pages have around their own parts. */
const frame = 'telemetry/page/frame.html';
const pages = ['relay/admin/page', 'operator/page'];

/** The pages of relay and operator, as TypeScript, by their path in the repository. */
export function pageModules(): readonly (readonly [path: string, text: string])[] {
  return pages.map((folder) => [`src/${folder}/html.ts`, pageModule(folder)]);
}

/** A page in one piece, and the policy that allows a browser only its script and style. */
function pageModule(folder: string): string {
  const [css, script] = [built(style), built(`${folder}/script.ts`)];
  const html = filled(read(frame), parts(read(`${folder}/page.html`)))
    .replace(/<style><\/style>/, () => `<style>${css}</style>`)
    .replace(/<script type="module"><\/script>/, () => `<script type="module">${script}</script>`)
    .replace(/\n\s*/g, '\n');
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(css)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return [
    '// Generated from the other files of this folder and src/telemetry/page by `make generate`; do not edit.',
    '',
    '/** The whole page: style and script are in it. */',
    `export const html = ${JSON.stringify(html)};`,
    '',
    '/** Its Content-Security-Policy. */',
    `export const policy = ${JSON.stringify(policy.join('; '))};`,
    '',
  ].join('\n');
}

/** The contents of the templates of a page, by their ids. */
function parts(page: string): ReadonlyMap<string, string> {
  const templates = page.matchAll(/<template id="([a-z]+)">(.*?)<\/template>/gs);
  return new Map([...templates].map(([, id = '', content = '']) => [id, content.trim()]));
}

/** `text` with the parts in its slots; a slot without a part is empty. */
function filled(text: string, own: ReadonlyMap<string, string>): string {
  return text.replace(/<slot name="([a-z]+)"><\/slot>/g, (_slot, name: string) => own.get(name) ?? '');
}

function read(path: string): string {
  return readFileSync(join(src, path), 'utf8');
}

/** `entry` bundled with its imports and minified. */
function built(entry: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [join(src, entry)],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
  });
  return (outputFiles[0]?.text ?? '').trim();
}

function hash(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
