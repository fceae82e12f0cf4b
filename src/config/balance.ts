import { counted } from '../lib/counted.ts';
import type { Findings } from '../lib/document-rules.ts';
import { nearest, type Diagnosis, type Path } from '../lib/problem.ts';
import { parseUnsigned } from '../lib/unsigned.ts';

/** The largest weight that Realm reads. */
const maxRealmWeight = 255;

/** The largest weight of a remote, or of a backend: that of a `backendRef` in the Gateway API. */
export const maxWeight = 1_000_000;

/** How the remote of a new connection is chosen; if it fails, the next ones in the order are tried. */
export type BalanceConfig = {
  /** `off`: in the order given (a RealmRelay's Failover). */
  readonly strategy: Strategy;
  /** One weight (0 to 1,000,000) per remote, in their order; 0 = only when the others fail. */
  readonly weights: readonly number[];
};

type Strategy = (typeof strategies)[number] | (typeof ownStrategies)[number];

const strategies = ['off', 'roundrobin', 'iphash'] as const;

/**
 * Our own strategies. Realm would reject them, so they have a separate key, `strategy`, and use the weights of `balance`.
 */
export const ownStrategies = ['leastconnections'] as const;

const shape = 'write "off", "roundrobin: 4, 2, 1" or "iphash: 1, 1", one weight per remote';

/**
 * Parses Realm's `balance`, e.g. `roundrobin: 4, 2, 1`.
 *
 * @param written  undefined = `off`.
 * @param remotes  the number of remotes; a missing weight counts as 0, an extra one is ignored, and both give a warning.
 * @returns undefined if it is not valid, which `findings` reports.
 */
export function parseBalance(
  written: string | undefined,
  remotes: number,
  path: Path,
  findings: Findings,
): BalanceConfig | undefined {
  if (written === undefined || /^\s*off\s*(:|$)/.test(written)) return off(remotes);
  const [word = '', list] = written.split(/:(.*)/s, 2).map((part) => part.trim());
  const strategy = strategies.find((known) => known === word);
  if (strategy === undefined) {
    const near = nearest(word, strategies);
    const remedy = near === undefined ? shape : `did you mean "${near}"?`;
    findings.problems.push({ path, what: 'is not a known strategy', value: written, remedy });
    return undefined;
  }
  const weights = list === undefined ? undefined : parseWeights(list);
  if (weights === undefined) {
    const what =
      list === undefined
        ? 'has no weights'
        : `has a weight that is not a whole number from 0 to ${String(maxRealmWeight)}`;
    findings.problems.push({ path, what, value: written, remedy: shape });
    return undefined;
  }
  findings.warnings.push(
    ...weightWarnings(weights, remotes).map((each) => ({ path, value: written, ...each })),
  );
  return { strategy, weights: Array.from({ length: remotes }, (_, index) => weights[index] ?? 0) };
}

function off(remotes: number): BalanceConfig {
  return { strategy: 'off', weights: new Array<number>(remotes).fill(1) };
}

/** The weights between the commas of `list`; Realm leaves out empty ones. */
function parseWeights(list: string): number[] | undefined {
  const words = list.split(',').flatMap((part) => part.trim() || []);
  const weights = words.map((word) => parseUnsigned(word) ?? Infinity);
  return weights.every((weight) => weight <= maxWeight) ? weights : undefined;
}

function weightWarnings(weights: readonly number[], remotes: number): Diagnosis[] {
  const warnings: Diagnosis[] = [];
  if (weights.some((weight) => weight > maxRealmWeight)) {
    const what = `has a weight above ${String(maxRealmWeight)}, which Realm leaves out, so that the next ones apply to other remotes`;
    warnings.push({ what, remedy: 'give smaller weights in the same proportion' });
  }
  if (weights.length !== remotes) warnings.push(wrongCount(weights.length, remotes));
  return warnings;
}

function wrongCount(weights: number, remotes: number): Diagnosis {
  const counts = `has ${counted(weights, 'weight')} for ${counted(remotes, 'remote')}`;
  const what =
    weights < remotes
      ? `${counts}, so the last ones only serve as backups`
      : `${counts}, so the last ones have no effect`;
  return { what, remedy: 'give one weight per remote' };
}
