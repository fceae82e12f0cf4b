import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import type { Counts, Progress, Report } from './mocha.ts';

const graceMs = 15_000;
const { Base, Spec } = Mocha.reporters;

/** The options of this reporter: the file for the progress, and what is printed. */
type Options = { readonly file: string; readonly report: Report };

/** Mocha's `spec` report, or its failures alone; the skipped suites by name at its end, and the progress in a file. */
function CountingReporter(runner: Mocha.Runner, options: Mocha.MochaOptions): void {
  const { file, report } = options.reporterOptions as Options;
  const reporter = report === 'everything' ? new Spec(runner, options) : new Base(runner, options);
  const counted = (): Counts => {
    const { passes, failures, pending } = reporter.stats;
    return { passed: passes, failed: failures, skipped: pending };
  };
  const began = (what: Mocha.Runnable): void => {
    const { failed, ...others } = counted();
    write(file, { ...others, failed: failed + 1, running: what.fullTitle() });
  };
  runner.on('test', began).on('hook', began);
  // As they come, so that they are printed even if the run hangs later.
  if (report === 'failures')
    runner.on('fail', (test) => {
      Base.list([test]);
    });
  const skippedIn = new Map<string, number>();
  runner.on('pending', (test) => {
    const suite = test.titlePath()[0] ?? '';
    skippedIn.set(suite, (skippedIn.get(suite) ?? 0) + 1);
  });
  runner.once('end', () => {
    for (const [suite, tests] of skippedIn) {
      process.stdout.write(`  ${String(tests)} skipped of: ${suite}\n`);
    }
    write(file, counted());
    failUnlessItEnds(file, counted());
  });
}

/** Ends the process, with one failure more, if something that a test left open keeps it alive. */
function failUnlessItEnds(file: string, counts: Counts): void {
  setTimeout(() => {
    process.stdout.write(
      `the tests are over and left open: ${process.getActiveResourcesInfo().join(', ')}\n`,
    );
    write(file, { ...counts, failed: counts.failed + 1 });
    process.exit();
  }, graceMs).unref(); // fires only if there is such a thing
}

function write(file: string, progress: Progress): void {
  writeFileSync(file, JSON.stringify(progress));
}

export default CountingReporter; // the only form in which mocha takes a reporter
