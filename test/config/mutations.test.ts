import { expect } from 'chai';
import fc from 'fast-check';
import { ConfigError } from '../../src/config/config-error.ts';
import { parseRelayConfig, type ParsedConfig } from '../../src/config/parsed-config.ts';
import { pathText } from '../../src/lib/problem.ts';
import { mutationsOf, valid } from './mutated-documents.ts';

function outcome(text: string): ParsedConfig | ConfigError {
  try {
    return parseRelayConfig([{ source: 'relay.json', text }]);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

describe('a configuration that was valid', () => {
  it('is a configuration after any change, or rejected with the path of each problem; never a crash', () => {
    expect(outcome(JSON.stringify(valid))).to.have.property('config');
    let refused = 0;
    fc.assert(
      fc.property(mutationsOf(valid), (document) => {
        const text = document === undefined ? '' : JSON.stringify(document);
        const found = outcome(text);
        if (!(found instanceof ConfigError)) {
          expect(found.config.endpoints).to.be.an('array');
          return;
        }
        refused += 1;
        expect(found.problems).to.not.have.length(0);
        const isMapping = typeof document === 'object' && document !== null && !Array.isArray(document);
        for (const { path, what } of found.problems) {
          expect(what).to.not.equal('');
          if (isMapping)
            expect(pathText(path), `${what} in ${text}`).to.match(/^(log|dns|network|endpoints)/);
        }
        for (const line of found.message.split('\n')) expect(line).to.match(/^relay\.json: ./);
        expect(found.message).to.not.match(/^\s+at /m);
      }),
      { numRuns: 3000 },
    );
    expect(refused).to.be.greaterThan(500);
  });
});
