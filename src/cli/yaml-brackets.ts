/** Brackets of a text that may not be YAML: where they open and close, outside of quotes and comments. */

type Bracket = { readonly text: string; readonly offset: number };

/** Where the innermost bracket is that is not closed; undefined if there is none. */
export function openBracket(text: string): number | undefined {
  const open: number[] = [];
  for (const { text: bracket, offset } of brackets(text)) {
    if (isOpening(bracket)) open.push(offset);
    else open.pop();
  }
  return open.at(-1);
}

/** Where the bracket that opens at `start` closes; undefined if it does not. */
export function closingBracket(text: string, start: number): number | undefined {
  let depth = 0;
  for (const { text: bracket, offset } of brackets(text.slice(start))) {
    depth += isOpening(bracket) ? 1 : -1;
    if (depth === 0) return start + offset;
  }
  return undefined;
}

/** The first bracket of `line` that closes nothing; undefined if there is none. */
export function extraBracket(line: string): Bracket | undefined {
  let depth = 0;
  for (const bracket of brackets(line)) {
    depth += isOpening(bracket.text) ? 1 : -1;
    if (depth < 0) return bracket;
  }
  return undefined;
}

function brackets(text: string): Bracket[] {
  const tokens = /"(?:[^"\\]|\\.)*"|'[^']*'|(?<=^|\s)#[^\r\n]*|[{}[\]]/gms;
  return [...text.matchAll(tokens)]
    .filter(({ 0: token }) => /^[{}[\]]$/.test(token))
    .map(({ 0: token, index }) => ({ text: token, offset: index }));
}

function isOpening(bracket: string): boolean {
  return bracket === '{' || bracket === '[';
}
