import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Where `tools/build.ts` puts what a program imports later. */
const folderName = 'chunks';

/** The text of each module that was kept, by its URL. */
const kept = new Map<string, Buffer>();

/**
 * Keeps the text of modules that a process may import only later, and of what they import themselves: an upgrade of the package
 * replaces the files of a process that still serves, and their names differ by version. Costs 0.2 MB, where importing them
 * early would cost several. Does nothing where a program has no such files: from source, or in a single executable.
 *
 * @param names  of the modules, without `.ts`, e.g. `port-owner`.
 */
export function keepLaterModules(names: readonly string[]): void {
  const folder = chunksOf(fileURLToPath(import.meta.url));
  if (kept.size > 0 || !existsSync(folder)) return;
  const isLater = (file: string): boolean =>
    file.endsWith('.js') && names.some((name) => file.startsWith(`${name}-`));
  for (const file of readdirSync(folder)) if (isLater(file)) keep(join(folder, file));
  registerHooks({
    resolve: (specifier, context, next) => {
      const { parentURL } = context;
      const url =
        specifier.startsWith('.') && parentURL !== undefined ? new URL(specifier, parentURL).href : '';
      return kept.has(url) ? { url, format: 'module', shortCircuit: true } : next(specifier, context);
    },
    load: (url, context, next) => {
      const source = kept.get(url);
      return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true };
    },
  });
}

function chunksOf(self: string): string {
  const folder = dirname(self);
  return basename(folder) === folderName ? folder : join(folder, folderName);
}

/** Keeps the module at `path` and those that it imports at once. */
function keep(path: string): void {
  const { href } = pathToFileURL(path);
  if (kept.has(href)) return;
  const source = readFileSync(path);
  kept.set(href, source);
  for (const [, imported = ''] of source.toString().matchAll(/\b(?:from|import)\s*"(\.[^"]+)"/gu))
    keep(join(dirname(path), imported));
}
