import { expect } from 'chai';
import { runCli } from './cli.ts';
import { manifestCases } from './manifest-cases.ts';

describe('realm-operator validate, on what people write', () => {
  for (const { why, manifest, isAccepted, says = '' } of manifestCases) {
    it(`${isAccepted ? 'accepts' : 'refuses'} ${why}`, async () => {
      const { code, stdout } = await runCli(['validate', '-'], manifest);
      expect({ code, stdout }).to.have.property('code', isAccepted ? 0 : 1);
      expect(stdout).to.contain(says);
      const lines = stdout.split('\n').slice(0, -2);
      for (const line of lines)
        expect(line).to.match(/^stdin:[1-9][0-9]*:[1-9][0-9]*: (warning: )?\S.*: .*: .+$/);
    });
  }
});
