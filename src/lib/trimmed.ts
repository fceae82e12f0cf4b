/**
 * `text` without the characters of `edge` at its end.
 *
 * Linear, whatever `text` holds: a pattern such as `/-+$/` starts again at each character of a run that is not at the end.
 */
export function trimmedEnd(text: string, edge: string): string {
  let end = text.length;
  while (end > 0 && edge.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}
