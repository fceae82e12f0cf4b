import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import type { Counts } from './mocha.ts';

/** Mocha's `spec` report, with the skipped suites by name at its end, and the counts in the file of option `file`. */
class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const skippedIn = new Map<string, number>();
    runner.on('pending', (test) => {
      const suite = test.titlePath()[0] ?? '';
      skippedIn.set(suite, (skippedIn.get(suite) ?? 0) + 1);
    });
    runner.once('end', () => {
      for (const [suite, tests] of skippedIn) {
        process.stdout.write(`  skipped: ${suite}: ${String(tests)} of its tests\n`);
      }
      const { file } = options.reporterOptions as { file: string };
      writeFileSync(file, JSON.stringify(counts(this.stats)));
    });
  }
}

function counts(stats: Mocha.Stats): Counts {
  return { passed: stats.passes, failed: stats.failures, skipped: stats.pending };
}

export default CountingReporter; // the only form in which mocha takes a reporter
