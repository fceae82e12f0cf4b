/** A line of a section of haproxy.cfg: its words, without comment. */
export type Directive = { readonly line: number; readonly words: readonly string[] };

/** The parameters in `words`; those of `withValue` are followed by their value, others have ''. */
export function parametersIn(words: readonly string[], withValue: readonly string[]): Map<string, string> {
  const given = new Map<string, string>();
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift())
    given.set(word, withValue.includes(word) ? (rest.shift() ?? '') : '');
  return given;
}
