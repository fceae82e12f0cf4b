import { expect } from 'chai';
import { sameJson } from '../../src/lib/same-json.ts';

describe('sameJson', () => {
  const cases: { a: unknown; b: unknown; same: boolean; why: string }[] = [
    { a: { x: 1, y: 2 }, b: { y: 2, x: 1 }, same: true, why: 'fields have no order' },
    { a: [1, 2], b: [2, 1], same: false, why: 'entries have one' },
    { a: [1], b: [1, 2], same: false, why: 'and a number' },
    { a: { x: 1 }, b: { x: 1, y: 2 }, same: false, why: 'a field more' },
    { a: { x: 1, y: undefined }, b: { x: 1 }, same: true, why: 'an undefined field is none' },
    { a: { x: null }, b: {}, same: false, why: 'null is a value' },
    { a: {}, b: [], same: false, why: 'a list is no mapping' },
    { a: 1, b: '1', same: false, why: 'a number is no text' },
    { a: { x: [{ y: { z: 'a' } }] }, b: { x: [{ y: { z: 'b' } }] }, same: false, why: 'at any depth' },
  ];
  for (const { a, b, same, why } of cases) {
    it(`${JSON.stringify(a)} and ${JSON.stringify(b)}: ${why}`, () => {
      expect([sameJson(a, b), sameJson(b, a)]).to.deep.equal([same, same]);
    });
  }
});
