/** `count` for people. */
export function numberText(count: number): string {
  return number.format(count);
}

/** `count` for people, with `one` or `many`. */
export function countedText(count: number, one: string, many: string): string {
  return `${numberText(count)} ${count === 1 ? one : many}`;
}

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** E.g. `1.5 MB`. */
export function sizeText(bytes: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${number.format(bytes / 1000 ** power)} ${units[power] ?? ''}`;
}

/** E.g. `1.5 MB/s`; `–` if it is unknown. */
export function bytesText(perSecond: number | undefined): string {
  return perSecond === undefined ? '–' : `${sizeText(perSecond)}/s`;
}

/** E.g. `12/s`; `–` if it is unknown. */
export function rateText(perSecond: number | undefined): string {
  return perSecond === undefined ? '–' : `${number.format(perSecond)}/s`;
}

const steps = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const;

/** A duration by its two largest units, e.g. `3 d 4 h`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const first = steps.findIndex(([, length]) => seconds >= length);
  if (first === -1) return '0 s';
  return steps
    .slice(first, first + 2)
    .map(([unit, length], index) => [
      Math.floor((index === 0 ? seconds : seconds % (steps[first]?.[1] ?? 1)) / length),
      unit,
    ])
    .filter(([count], index) => index === 0 || count !== 0)
    .map((part) => part.join(' '))
    .join(' ');
}
