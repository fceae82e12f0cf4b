import { Session } from 'node:inspector';

type Range = { readonly startOffset: number; readonly endOffset: number; readonly count: number };
type Script = {
  readonly url: string;
  readonly functions: readonly { readonly functionName: string; readonly ranges: readonly Range[] }[];
};

/**
 * Which blocks of our sources run, by V8's own precise coverage: the feedback of the fuzzer. Blocks are named by script
 * and offsets; a block that runs in this process for other reasons counts, too.
 */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  /** Starts counting; to be stopped, since coverage slows the whole process. */
  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Blocks that have run so far. */
  get blocks(): number {
    return this.#seen.size;
  }

  /** @returns whether a block ran since the last call that had never run before. */
  hasNewBlock(): boolean {
    const before = this.#seen.size;
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error;
      for (const script of answer.result as readonly Script[])
        if (script.url.includes('/src/')) this.#add(script);
    });
    return this.#seen.size > before;
  }

  stop(): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  #add({ url, functions }: Script): void {
    for (const { ranges } of functions)
      for (const { startOffset, endOffset, count } of ranges)
        if (count > 0) this.#seen.add(`${url} ${String(startOffset)} ${String(endOffset)}`);
  }
}
