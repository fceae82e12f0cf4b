import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

const folder = join(import.meta.dirname, '..', 'src', 'relay', 'admin', 'page');

/**
 * The text of src/relay/admin/page/html.ts: the relay's page in one piece, and the policy that allows a browser only its
 * script and style.
 */
export function pageModule(): string {
  const [style, script] = [built('page.css'), built('script.ts')];
  const html = readFileSync(join(folder, 'page.html'), 'utf8')
    .replace(/<style><\/style>/, () => `<style>${style}</style>`)
    .replace(/<script type="module"><\/script>/, () => `<script type="module">${script}</script>`)
    .replace(/\n\s*/g, '\n');
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return [
    '// Generated from the other files of this folder by `make generate`; do not edit.',
    '',
    '/** The whole page: style and script are in it. */',
    `export const html = ${JSON.stringify(html)};`,
    '',
    '/** Its Content-Security-Policy. */',
    `export const policy = ${JSON.stringify(policy.join('; '))};`,
    '',
  ].join('\n');
}

/** `entry` bundled with its imports and minified. */
function built(entry: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [join(folder, entry)],
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
