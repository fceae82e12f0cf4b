import { expect } from 'chai';
import { closingLine, exitCode } from '../../tools/mocha.ts';

describe('the end of a run', () => {
  const cases = [
    { counts: { passed: 3, failed: 0, skipped: 0 }, line: '3 passed, 0 failed', code: 0, why: 'all is well' },
    { counts: { passed: 3, failed: 1, skipped: 0 }, line: '3 passed, 1 failed', code: 1, why: 'one failed' },
    {
      counts: { passed: 3, failed: 0, skipped: 2 },
      line: '3 passed, 0 failed, 2 skipped',
      code: 0,
      why: 'some skipped',
    },
    {
      counts: { passed: 0, failed: 0, skipped: 2 },
      line: '0 passed, 0 failed, 2 skipped',
      code: 1,
      why: 'nothing ran',
    },
  ];
  for (const { counts, line, code, why } of cases) {
    it(`${line}: ${why}`, () => {
      expect(closingLine(counts)).to.equal(line);
      expect(exitCode(counts)).to.equal(code);
    });
  }
});
