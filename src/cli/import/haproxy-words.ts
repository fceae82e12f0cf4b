import { fault, type ForeignNote } from './foreign.ts';

/** A line of a section of haproxy.cfg: its words, without comment. */
export type Directive = { readonly line: number; readonly words: readonly string[] };

/** The words of a line; `#` begins a comment, quotes are removed, and so are backslashes before what they protect. */
export function wordsOf(line: string): string[] {
  const words = line.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'#\\])+|#.*/g) ?? [];
  const comment = words.findIndex((word) => word.startsWith('#'));
  return words.slice(0, comment < 0 ? undefined : comment).map(unquoted);
}

function unquoted(word: string): string {
  const parts = /"((?:\\.|[^"\\])*)"|'([^']*)'|((?:\\.|[^"'\\])+)/g;
  return word.replaceAll(parts, (_, double?: string, single?: string, plain?: string) => {
    return single ?? (double ?? plain ?? '').replaceAll(/\\(.)/g, '$1');
  });
}

/** An error if `value` has a variable of the environment; undefined if it has none. */
export function variableFault(line: number, word: string, value: string): ForeignNote | undefined {
  if (!value.includes('$')) return undefined;
  return fault({ line, word, value }, 'contains a variable of the environment', 'write its value');
}

/** The parameters in `words`; those of `withValue` are followed by their value, others have ''. */
export function parametersIn(words: readonly string[], withValue: readonly string[]): Map<string, string> {
  const given = new Map<string, string>();
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift())
    given.set(word, withValue.includes(word) ? (rest.shift() ?? '') : '');
  return given;
}
