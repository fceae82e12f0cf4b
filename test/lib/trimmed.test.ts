import { expect } from 'chai';
import { trimmedEnd } from '../../src/lib/trimmed.ts';

describe('trimmedEnd', () => {
  const cases = [
    { text: 'web--', edge: '-', trimmed: 'web', why: 'every one of them goes' },
    { text: '-web-tls.', edge: '-.', trimmed: '-web-tls', why: 'only those at the end go' },
    { text: 'web', edge: '-', trimmed: 'web', why: 'there is nothing to remove' },
    { text: '---', edge: '-', trimmed: '', why: 'nothing is left' },
    { text: '', edge: '-', trimmed: '', why: 'an empty text stays empty' },
  ];
  for (const { text, edge, trimmed, why } of cases) {
    it(`"${text}": ${why}`, () => {
      expect(trimmedEnd(text, edge)).to.equal(trimmed);
    });
  }
});
