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
        process.stdout.write(`  ${String(tests)} skipped of: ${suite}\n`);
      }
      const { file } = options.reporterOptions as { file: string };
      const counts = { passed: this.stats.passes, failed: this.stats.failures, skipped: this.stats.pending };
      writeFileSync(file, JSON.stringify(counts satisfies Counts));
      failUnlessItEnds(file, counts);
    });
  }
}

/** Ends the process, with one failure more, where something that a test left open keeps it alive. */
function failUnlessItEnds(file: string, counts: Counts): void {
  setTimeout(() => {
    process.stdout.write(
      `the tests are over and left open: ${process.getActiveResourcesInfo().join(', ')}\n`,
    );
    writeFileSync(file, JSON.stringify({ ...counts, failed: counts.failed + 1 }));
    process.exit();
  }, graceMs).unref(); // fires only where there is such a thing
}

export default CountingReporter; // the only form in which mocha takes a reporter
