import type { ConfigText } from '../../config/config-text.ts';
import { pathText, type Path } from '../../lib/problem.ts';
import { yamlDocuments } from '../yaml-documents.ts';

/** Finds the line of a value of a configuration of Realm, counted from 1: of the nearest one around it. */
export function realmLines({ text }: ConfigText): (path: Path) => number {
  if (!/^\s*\{/.test(text)) return tomlLines(text);
  const [document] = yamlDocuments(text); // JSON is YAML
  return (path) => document?.keyPositionOf(path).line ?? 1;
}

/** The lines of tables and keys in TOML. Keys inside braces have the line of those. */
function tomlLines(text: string): (path: Path) => number {
  const lines = new Map<string, number>();
  const counts = new Map<string, number>();
  let table: Path = [];
  let list: { readonly path: Path; index: number } | undefined;
  for (const [index, written] of text.split('\n').entries()) {
    const line = written.trim();
    const header = tableOf(line, counts);
    const [, key] = /^([A-Za-z0-9_."'-]+)\s*=/.exec(line) ?? [];
    if (header !== undefined) {
      table = header;
      lines.set(pathText(table), index + 1);
    } else if (key !== undefined) {
      const path = [...table, ...steps(key)];
      lines.set(pathText(path), index + 1);
      list = /=\s*\[/.test(line) ? { path, index: 0 } : undefined;
    } else if (list !== undefined && line.startsWith('{')) {
      lines.set(pathText([...list.path, list.index]), index + 1);
      list.index += 1;
    }
  }
  return (path) => nearestLine(lines, path);
}

/** The path of the table that `line` begins. */
function tableOf(line: string, counts: Map<string, number>): Path | undefined {
  const [, doubled, single] = /^\[\[([^\]]+)\]\]|^\[([^\][]+)\]/.exec(line) ?? [];
  if (doubled !== undefined) return nextItem(steps(doubled), counts);
  return single === undefined ? undefined : itemPath(steps(single), counts);
}

function nearestLine(lines: ReadonlyMap<string, number>, path: Path): number {
  for (let length = path.length; length > 0; length -= 1) {
    const line = lines.get(pathText(path.slice(0, length)));
    if (line !== undefined) return line;
  }
  return 1;
}

function steps(name: string): string[] {
  return name.split('.').map((step) => step.trim().replaceAll(/^["']|["']$/g, ''));
}

/** The path of a further item of the list of tables `names`. */
function nextItem(names: readonly string[], counts: Map<string, number>): Path {
  const key = names.join('.');
  const index = counts.get(key) ?? 0;
  counts.set(key, index + 1);
  return [...itemPath(names.slice(0, -1), counts), ...names.slice(-1), index];
}

/** `names` with the index of the last item of each list of tables. */
function itemPath(names: readonly string[], counts: ReadonlyMap<string, number>): Path {
  return names.flatMap((name, index) => {
    const count = counts.get(names.slice(0, index + 1).join('.'));
    return count === undefined ? [name] : [name, count - 1];
  });
}
