import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mutated, type Random } from './mutator.ts';
import type { Target } from './targets.ts';

const corpusFolder = join(import.meta.dirname, 'corpus');

/** An input for which a parser broke a promise. */
export type Violation = { readonly input: Buffer; readonly error: unknown };

/** The inputs of a target: its seeds, and those that were kept since they reach code that no other reaches. */
function corpus({ name, seeds }: Target): Buffer[] {
  return [...seeds.map((seed) => Buffer.from(seed, 'latin1')), ...kept(name)];
}

function kept(name: string): Buffer[] {
  try {
    const folder = join(corpusFolder, name);
    return readdirSync(folder)
      .toSorted()
      .map((file) => readFileSync(join(folder, file)));
  } catch {
    return []; // nothing was kept yet
  }
}

/** Adds `input` to the kept corpus of `target`. @returns its path. */
export function keep({ name }: Target, input: Buffer): string {
  const folder = join(corpusFolder, name);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, createHash('sha256').update(input).digest('hex').slice(0, 16));
  writeFileSync(path, input);
  return path;
}

/** How a run was kept going and what came of it. */
export type FuzzOptions = {
  readonly random: Random;
  /** Feedback: whether the last input reached new code, and so joins the corpus. */
  readonly hasNewBlock: () => boolean;
  /** Whether to go on after so many inputs. */
  readonly goesOn: (inputs: number) => boolean;
  /** Called with each input that reached new code. */
  readonly onNew: (input: Buffer) => void;
};

/** What a run did; it ends at the first violation. */
export type FuzzResult = { readonly inputs: number; readonly violation?: Violation };

/** Runs `target` on its corpus, then on mutations of it. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzResult> {
  const { random, hasNewBlock, goesOn, onNew } = options;
  const known = corpus(target);
  let inputs = 0;
  for (const input of known) {
    const violation = await violationOf(target, input);
    if (violation !== undefined) return { inputs, violation };
    inputs += 1;
  }
  hasNewBlock();
  const any = (): Buffer => known[Math.floor(random() * known.length)] ?? Buffer.alloc(0);
  for (; goesOn(inputs); inputs += 1) {
    const input = mutated(any(), any(), random, target.tokens);
    const violation = await violationOf(target, input);
    if (violation !== undefined) return { inputs, violation };
    if (!hasNewBlock()) continue;
    known.push(input);
    onNew(input);
  }
  return { inputs };
}

async function violationOf(target: Target, input: Buffer): Promise<Violation | undefined> {
  try {
    await target.run(input);
    return undefined;
  } catch (error) {
    return { input, error };
  }
}
