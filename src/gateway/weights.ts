/** The largest weight of a remote in Realm's configuration. */
const maxWeight = 255;

/**
 * Weights of remotes, 1 to 255, that come closest to `shares`: each is the weight of a backend over the number of its endpoints.
 * Exact if the ratios are those of small whole numbers. Pure.
 *
 * @param shares  each above 0.
 */
export function remoteWeights(shares: readonly number[]): number[] {
  const most = Math.max(...shares);
  let best: { readonly weights: number[]; readonly error: number } | undefined;
  for (let largest = 1; largest <= maxWeight; largest += 1) {
    const weights = shares.map((share) => Math.max(1, Math.round((share * largest) / most)));
    const error = errorOf(weights, shares);
    if (best === undefined || error < best.error - 1e-9) best = { weights, error };
    if (error < 1e-9) break;
  }
  return best?.weights ?? [];
}

/** By how much the parts of `weights` differ from those of `shares`, in all. */
function errorOf(weights: readonly number[], shares: readonly number[]): number {
  const [allWeights, allShares] = [sum(weights), sum(shares)];
  return sum(
    weights.map((weight, index) => Math.abs(weight / allWeights - (shares[index] ?? 0) / allShares)),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
