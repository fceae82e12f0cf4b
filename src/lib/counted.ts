/** `2 problems`, `1 problem`: `noun` with its number, in the plural unless there is one. */
export function counted(count: number, noun: string, nouns = `${noun}s`): string {
  return `${String(count)} ${count === 1 ? noun : nouns}`;
}
