import { ownName, type RelayProgram } from './relays.ts';

/** The figures of all programs for one thing, a figure for each round. */
export type Row = {
  readonly what: string;
  readonly unit: string;
  /** By the name of the program; absent if it cannot do that. */
  readonly figures: ReadonlyMap<string, readonly number[]>;
  /** Whether more is better; absent = less is. */
  readonly isMoreBetter?: true;
};

/** The first two lines of a table in Markdown. */
export function tableHead(programs: readonly RelayProgram[]): string[] {
  return [
    `| what | ${programs.map(({ name }) => name).join(' | ')} |`,
    `| --- |${' --- |'.repeat(programs.length)}`,
  ];
}

/** One line of the table. */
export function tableLine(row: Row, programs: readonly RelayProgram[]): string {
  const own = row.figures.get(ownName) ?? [];
  const cells = programs.map(({ name }) => cell(row.figures.get(name), own, name === ownName));
  return `| ${[`${row.what}, ${row.unit}`, ...cells].join(' | ')} |`;
}

/** Median, spread, and the median of our figure divided by theirs, round by round. */
function cell(figures: readonly number[] | undefined, own: readonly number[], isOwn: boolean): string {
  if (figures === undefined) return '–';
  const spread = figures.length > 1 ? ` (${short(Math.min(...figures))}–${short(Math.max(...figures))})` : '';
  const text = `${short(median(figures))}${spread}`;
  if (isOwn) return text;
  const ratio = median(own.map((figure, round) => figure / (figures[round] ?? NaN)));
  return Number.isFinite(ratio) ? `${text}; ours is ${short(ratio)} ×` : text;
}

/** The figure in the middle. */
export function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[figures.length >> 1] ?? NaN;
}

/** A figure with two digits, or all of its integer part. */
export function short(figure: number): string {
  if (figure === 0) return '0';
  return figure >= 100 ? figure.toFixed(0) : figure.toPrecision(2);
}
