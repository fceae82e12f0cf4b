/** A function that returns whether its last `looks` calls had the same value, by `===`, as the one before them. */
export function steadyFor(looks: number): (value: number | string) => boolean {
  let last: number | string | undefined;
  let same = 0;
  return (value) => {
    same = value === last ? same + 1 : 0;
    last = value;
    return same >= looks;
  };
}
