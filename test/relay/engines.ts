import { createLogger } from '../../src/telemetry/logger.ts';
import { parseEngineChoice } from '../../src/config/engine.ts';
import { chooseEngine, nodeEngine, type Engine } from '../../src/relay/net/engine.ts';

const word = process.env['TEST_ENGINE'] ?? 'auto';
const choice = parseEngineChoice(word);
if (typeof choice !== 'string') throw new Error(`TEST_ENGINE: ${choice.fault}`);

/** The flag with which the relay program uses the engine that `TEST_ENGINE` names; none by default. */
export const engineFlags: readonly string[] = choice === 'auto' ? [] : ['--engine', choice];

/** The engine of the relays in these tests: the one that `TEST_ENGINE` names, else what the relay takes by default. */
export const testEngine: Engine = await chooseEngine(choice, createLogger('off', { write: () => undefined }));

const canPause = testEngine.name === 'kernel';
const skipped = (title: string): string => `${title} (skipped: the engine node cannot make clients wait)`;

/** Mocha's functions, for tests of clients that wait in the kernel; skipped with the reason if they do not. */
export const whereClientsWait = {
  describe: (title: string, tests: () => void): unknown =>
    canPause ? describe(title, tests) : describe.skip(skipped(title), tests),
  it: (title: string, test: () => Promise<void>): unknown =>
    canPause ? it(title, test) : it.skip(skipped(title), test),
};

/** Every engine of this machine, for tests of what they have in common. */
export const engines: readonly Engine[] =
  testEngine.name === 'node' ? [nodeEngine] : [testEngine, nodeEngine];
