import { expect } from 'chai';
import { nearest, pathText, problemText } from '../../src/lib/problem.ts';

describe('problemText', () => {
  it('is field, what, value and remedy on one line', () => {
    const problem = {
      path: ['spec', 'endpoints', 0, 'port'],
      what: 'is too large',
      value: 70_000,
      remedy: 'use less',
    };
    expect(problemText(problem)).to.equal('spec.endpoints[0].port: is too large, got 70000: use less');
  });

  it('leaves out a missing value, and cuts a long one', () => {
    expect(problemText({ path: ['a'], what: 'is missing', remedy: 'add it' })).to.equal(
      'a: is missing: add it',
    );
    const long = problemText({
      path: ['a'],
      what: 'is long',
      value: 'x'.repeat(1_000),
      remedy: 'shorten it',
    });
    expect(long.length).to.be.below(150);
  });

  it('cuts a value between characters: half of one would come back from the API server as another', () => {
    for (const before of ['', 'x']) {
      const value = `${before}${'𝄞'.repeat(200)}`;
      expect(
        problemText({ path: ['a'], what: 'is long', value, remedy: 'shorten it' }).isWellFormed(),
      ).to.equal(true);
    }
  });
});

describe('pathText', () => {
  it('names the whole document if the path is empty', () => {
    expect(pathText([])).to.equal('document');
  });
});

describe('nearest', () => {
  const known = ['ipv6Only', 'tcp', 'udp', 'tcpTimeoutSeconds', 'replicas'];
  const cases = [
    { word: 'ipv6only', expected: 'ipv6Only', why: 'case does not count' },
    { word: 'replica', expected: 'replicas', why: 'a letter is missing' },
    { word: 'tcpTimeout', expected: undefined, why: 'seven letters are too many to guess' },
    { word: 'tcpp', expected: 'tcp', why: 'a letter is too many' },
    { word: 'volumes', expected: undefined, why: 'no word is similar' },
  ];
  for (const { word, expected, why } of cases) {
    it(`${word} → ${String(expected)}: ${why}`, () => {
      expect(nearest(word, known)).to.equal(expected);
    });
  }
});
