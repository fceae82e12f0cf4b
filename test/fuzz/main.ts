import { Coverage } from './coverage.ts';
import { fuzz, keep } from './fuzzer.ts';
import { seeded } from './mutator.ts';
import { targets, type Target } from './targets.ts';

// make fuzz: SECONDS=60 for all targets together, SEED=1, TARGET=proxy-header for one of them.
const seconds = Number(process.env['SECONDS'] ?? 60);
const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const chosen = targets.filter(({ name }) => (process.env['TARGET'] ?? name) === name);
/** A parser that takes longer for one input, of at most 16 KiB, may be slow in more than its length. */
const maxMs = 500;

async function run(target: Target, forMs: number): Promise<boolean> {
  const coverage = new Coverage();
  const startMs = performance.now();
  let slowest: { readonly ms: number; readonly input: Buffer } = { ms: 0, input: Buffer.alloc(0) };
  let added = 0;
  const timed = async (input: Buffer): Promise<void> => {
    const sinceMs = performance.now();
    await target.run(input);
    const ms = performance.now() - sinceMs;
    if (ms > slowest.ms) slowest = { ms, input };
  };
  const { inputs, violation } = await fuzz(
    { ...target, run: timed },
    {
      random: seeded(seed),
      hasNewBlock: () => coverage.hasNewBlock(),
      goesOn: () => performance.now() - startMs < forMs,
      onNew: (input) => {
        added += 1;
        keep(target, input);
      },
    },
  );
  const figures = `${String(inputs)} inputs, ${String(coverage.blocks)} blocks, ${String(added)} added to the corpus`;
  coverage.stop();
  process.stdout.write(`${target.name}: ${figures}, slowest ${slowest.ms.toFixed(0)} ms\n`);
  if (violation !== undefined) return failed(String(violation.error), keep(target, violation.input));
  return slowest.ms <= maxMs || failed('too slow', keep(target, slowest.input));
}

function failed(why: string, path: string): false {
  process.stdout.write(`${why}\ninput kept as ${path}\n`);
  return false;
}

process.stdout.write(`seed ${String(seed)}\n`);
for (const target of chosen) if (!(await run(target, (seconds * 1000) / chosen.length))) process.exitCode = 1;
