/**
 * The value of `text`, a whole number in decimal as Realm reads it: zeros or a plus sign may come first.
 *
 * @returns undefined if it is none.
 */
export function parseUnsigned(text: string): number | undefined {
  return /^\+?[0-9]+$/.test(text) ? Number(text) : undefined;
}
