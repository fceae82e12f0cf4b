/** `2 problems`, `1 problem`: `noun` with its number, and an s unless there is one. */
export function counted(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? '' : 's'}`;
}
