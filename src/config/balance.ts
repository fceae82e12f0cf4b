import { counted } from '../lib/counted.ts';
import type { Findings } from '../lib/document-rules.ts';
import { nearest, type Path } from '../lib/problem.ts';

/** How the remote of a new connection is chosen; if it fails, the next ones in the order are tried. */
export type BalanceConfig = {
  /** `off`: in the order given (a RealmRelay's Failover). */
  readonly strategy: Strategy;
  /** One weight (0 to 255) per remote, in their order; 0 = only when the others fail. */
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
  const [word = '', list] = written.split(':', 2).map((part) => part.trim());
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
      list === undefined ? 'has no weights' : 'has a weight that is not a whole number from 0 to 255';
    findings.problems.push({ path, what, value: written, remedy: shape });
    return undefined;
  }
  if (weights.length !== remotes) findings.warnings.push(wrongCount(written, weights.length, remotes, path));
  return { strategy, weights: Array.from({ length: remotes }, (_, index) => weights[index] ?? 0) };
}

function off(remotes: number): BalanceConfig {
  return { strategy: 'off', weights: new Array<number>(remotes).fill(1) };
}

function parseWeights(list: string): number[] | undefined {
  if (list === '') return [];
  const weights = list.split(',').map((part) => (/^\s*[0-9]{1,3}\s*$/.test(part) ? Number(part) : 256));
  return weights.every((weight) => weight <= 255) ? weights : undefined;
}

function wrongCount(value: string, weights: number, remotes: number, path: Path) {
  const counts = `has ${counted(weights, 'weight')} for ${counted(remotes, 'remote')}`;
  const what =
    weights < remotes
      ? `${counts}, so the last ones only serve as backups`
      : `${counts}, so the last ones have no effect`;
  return { path, what, value, remedy: 'give one weight per remote' };
}
