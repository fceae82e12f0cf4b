/** One measurement. */
export type Point = { readonly x: number; readonly y: number };

/** The slope of a line through points, with the bounds of its 95 % confidence interval, in units of y for each unit of x. */
export type Slope = { readonly value: number; readonly low: number; readonly high: number };

/** Fewer points give no interval that is worth reading. */
const fewestPoints = 6;

/** The 97.5 % quantile of the standard normal distribution. */
const z = 1.959964;

/**
 * The slope by ordinary least squares. The interval assumes that the deviations from the line are independent.
 *
 * @returns undefined with fewer than six points.
 */
export function slope(points: readonly Point[]): Slope | undefined {
  const count = points.length;
  if (count < fewestPoints) return undefined;
  const meanX = mean(points.map(({ x }) => x));
  const meanY = mean(points.map(({ y }) => y));
  const squaresX = sum(points.map(({ x }) => (x - meanX) ** 2));
  const value = sum(points.map(({ x, y }) => (x - meanX) * (y - meanY))) / squaresX;
  const left = sum(points.map(({ x, y }) => (y - meanY - value * (x - meanX)) ** 2));
  const margin = studentQuantile(count - 2) * Math.sqrt(left / (count - 2) / squaresX);
  return { value, low: value - margin, high: value + margin };
}

/**
 * The 97.5 % quantile of Student's t distribution, by its expansion in the degrees of freedom. Source: Abramowitz and Stegun,
 * Handbook of Mathematical Functions, 26.7.5; the error is below 0.005 from 4 degrees on.
 */
export function studentQuantile(degrees: number): number {
  const terms = [
    z,
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92_160,
  ];
  return sum(terms.map((term, index) => term / degrees ** index));
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
