/** Quantities are computed in units of a billionth; the API server keeps resources in thousandths. */
const milli = 10n ** 6n;
const decimal: readonly [suffix: string, nano: bigint][] = [
  ['E', 10n ** 27n],
  ['P', 10n ** 24n],
  ['T', 10n ** 21n],
  ['G', 10n ** 18n],
  ['M', 10n ** 15n],
  ['k', 10n ** 12n],
  ['', 10n ** 9n],
  ['m', milli],
];
const binary: readonly [suffix: string, nano: bigint][] = (['Ei', 'Pi', 'Ti', 'Gi', 'Mi', 'Ki'] as const).map(
  (suffix, index) => [suffix, 10n ** 9n * 1024n ** BigInt(6 - index)],
);

/**
 * `quantity` in the canonical form of the API server, so that what is applied equals what is read back: `1000m` becomes `1`,
 * `1024Mi` becomes `1Gi`, `0.5` becomes `500m`. Fractions of a thousandth are rounded up.
 *
 * @param quantity  a number, or digits with an optional fraction and suffix, as the schema allows.
 * @throws TypeError if it is neither.
 *
 * Source: `Quantity.CanonicalizeBytes` of k8s.io/apimachinery/pkg/api/resource; rounding as for a ResourceList in
 * k8s.io/kubernetes/pkg/apis/core/v1/conversion.go.
 */
export function canonicalQuantity(quantity: number | string): string {
  const [, digits, fraction = '', suffix = ''] =
    /^(\d+)(?:\.(\d{1,9}))?([a-zA-Z]*)$/.exec(String(quantity)) ?? [];
  const unit = [...decimal, ...binary].find(([known]) => known === suffix);
  if (digits === undefined || unit === undefined) throw new TypeError(`not a quantity: ${String(quantity)}`);
  const nano = roundedUp((BigInt(digits + fraction) * unit[1]) / 10n ** BigInt(fraction.length));
  if (nano === 0n) return '0';
  const isBinary = suffix.endsWith('i') && nano >= 1024n * 10n ** 9n;
  return written(nano, isBinary ? [...binary, ['', 10n ** 9n]] : decimal);
}

function roundedUp(nano: bigint): bigint {
  return ((nano + milli - 1n) / milli) * milli;
}

/** With the largest unit that leaves no fraction. */
function written(nano: bigint, units: readonly [string, bigint][]): string {
  const [suffix, unit] = units.find(([, size]) => nano % size === 0n) ?? ['m', milli];
  return `${String(nano / unit)}${suffix}`;
}
