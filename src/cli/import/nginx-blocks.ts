/** A directive of nginx: its words, and the directives in its block. */
export type NginxDirective = {
  /** Counted from 1. */
  readonly line: number;
  readonly words: readonly string[];
  /** Absent if it has no block. */
  readonly block?: readonly NginxDirective[];
};

type Open = { readonly line: number; readonly words: readonly string[]; readonly block: NginxDirective[] };

/**
 * The directives of a file. What is not closed ends with the file.
 *
 * Source: nginx, "Configuration file's structure".
 */
export function nginxDirectives(text: string): readonly NginxDirective[] {
  const root: Open = { line: 1, words: [], block: [] };
  const open: Open[] = [root];
  let words: string[] = [];
  let [line, first] = [1, 1];
  for (const [token] of text.matchAll(
    /\n|#.*|[;{}]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|\$\{|[^\s;{}\\])+/g,
  )) {
    const before = line;
    line += token.split('\n').length - 1;
    if (token === '\n' || token.startsWith('#')) continue;
    const holder = open.at(-1) ?? root;
    if (token === ';') holder.block.push({ line: first, words });
    else if (token === '{') open.push({ line: first, words, block: [] });
    else if (token === '}') close(open);
    else {
      if (words.length === 0) first = before;
      words.push(token.replaceAll(/^["']|["']$/g, ''));
      continue;
    }
    words = [];
  }
  while (open.length > 1) close(open);
  return root.block;
}

function close(open: Open[]): void {
  if (open.length === 1) return;
  const closed = open.pop();
  if (closed !== undefined) open.at(-1)?.block.push(closed);
}
