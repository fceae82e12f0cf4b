import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import type { Counts } from './mocha.ts';

const graceMs = 15_000;

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
      failUnlessItEnds();
    });
  }
}

/** Ends the process, as failed, where something that a test left open keeps it alive. */
function failUnlessItEnds(): void {
  setTimeout(() => {
    process.stdout.write(
      `the tests are over and left open: ${process.getActiveResourcesInfo().join(', ')}\n`,
    );
    process.exit(1);
  }, graceMs).unref(); // fires only where there is such a thing
}

function counts(stats: Mocha.Stats): Counts {
  return { passed: stats.passes, failed: stats.failures, skipped: stats.pending };
}

export default CountingReporter; // the only form in which mocha takes a reporter
