import { expect } from 'chai';
import { ownValue } from '../../src/lib/record.ts';

describe('ownValue', () => {
  const ports: Readonly<Record<string, number>> = { http: 80 };

  it('finds what the record has', () => {
    expect(ownValue(ports, 'http')).to.equal(80);
  });

  for (const word of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'https'])
    it(`finds nothing under "${word}"`, () => {
      expect(ownValue(ports, word)).to.equal(undefined);
    });
});
