/**
 * Returns a function that makes names free: a name that is in `taken` gets a number, the first one that is free.
 *
 * @param taken     the names in use; the caller adds to it those that it uses.
 * @param numbered  the name `wanted` with a number, from 2 on.
 */
export function freeNames(
  taken: ReadonlySet<string>,
  numbered: (wanted: string, number: number) => string,
): (wanted: string) => string {
  const last = new Map<string, number>(); // by name: with thousands of one name, counting from 2 each time takes minutes
  return (wanted) => {
    let name = wanted;
    let number = last.get(wanted) ?? 1;
    while (taken.has(name)) {
      number += 1;
      name = numbered(wanted, number);
    }
    last.set(wanted, number);
    return name;
  };
}
