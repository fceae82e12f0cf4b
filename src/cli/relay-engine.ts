import { parseEngineChoice, type EngineChoice } from '../config/engine.ts';
import { UsageError } from '../lib/usage-error.ts';

/** Parses the value of `--relay-engine`. @throws UsageError */
export function relayEngine(word: string): EngineChoice {
  const choice = parseEngineChoice(word);
  if (typeof choice === 'string') return choice;
  throw new UsageError(`--relay-engine: ${choice.fault}`);
}
