/** The largest weight of a remote in Realm's configuration. */
const maxWeight = 255;

/** Remotes of one share, as many as `count`. */
type Group = { readonly share: number; readonly count: number };

/**
 * Weights of remotes, 1 to 255, that come closest to `shares`: each is the weight of a backend over the number of its endpoints.
 * Exact if the ratios are those of small whole numbers. Pure.
 *
 * @param shares  each above 0; few different ones, as there are few backends.
 */
export function remoteWeights(shares: readonly number[]): number[] {
  const counts = new Map<number, number>();
  for (const share of shares) counts.set(share, (counts.get(share) ?? 0) + 1);
  const groups = [...counts].map(([share, count]): Group => ({ share, count }));
  const weights = groupWeights(groups);
  const bySharing = new Map(groups.map(({ share }, index) => [share, weights[index] ?? 1]));
  return shares.map((share) => bySharing.get(share) ?? 1);
}

function groupWeights(groups: readonly Group[]): number[] {
  const most = Math.max(...groups.map(({ share }) => share));
  let best: { readonly weights: number[]; readonly error: number } | undefined;
  for (let largest = 1; largest <= maxWeight; largest += 1) {
    const weights = groups.map(({ share }) => Math.max(1, Math.round((share * largest) / most)));
    const error = errorOf(weights, groups);
    if (best === undefined || error < best.error - 1e-9) best = { weights, error };
    if (error < 1e-9) break;
  }
  return best?.weights ?? [];
}

/** By how much the parts of `weights` differ from those of the shares, in all. */
function errorOf(weights: readonly number[], groups: readonly Group[]): number {
  const allWeights = sum(groups.map(({ count }, index) => count * (weights[index] ?? 0)));
  const allShares = sum(groups.map(({ count, share }) => count * share));
  return sum(
    groups.map(
      ({ count, share }, index) => count * Math.abs((weights[index] ?? 0) / allWeights - share / allShares),
    ),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
