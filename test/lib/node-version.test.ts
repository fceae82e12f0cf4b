import { expect } from 'chai';
import { nodeVersionProblem } from '../../src/lib/node-version.ts';

describe('the required Node.js', () => {
  for (const version of ['24.2.0', '24.10.0', '25.0.0', '26.10.0', process.versions.node]) {
    it(`is there: ${version}`, () => {
      expect(nodeVersionProblem(version)).to.equal(undefined);
    });
  }
  for (const version of ['18.20.4', '20.19.1', '22.22.0', '24.1.0']) {
    it(`is missing, and the error names both versions and the remedy: ${version}`, () => {
      expect(nodeVersionProblem(version))
        .to.include('needs Node.js 24.2 or newer')
        .and.include(`this is ${version}`)
        .and.match(/install one from https:\/\/nodejs\.org\//);
    });
  }
});
