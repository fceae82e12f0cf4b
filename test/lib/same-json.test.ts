import { expect } from 'chai';
import { sameJson } from '../../src/lib/same-json.ts';

describe('sameJson', () => {
  const cases: { a: unknown; b: unknown; same: boolean; why: string }[] = [
    { a: { x: 1, y: 2 }, b: { y: 2, x: 1 }, same: true, why: 'fields have no order' },
    { a: [1, 2], b: [2, 1], same: false, why: 'entries of a list have an order' },
    { a: [1], b: [1, 2], same: false, why: 'lists differ in length' },
    { a: { x: 1 }, b: { x: 1, y: 2 }, same: false, why: 'one more field' },
    { a: { x: 1, y: undefined }, b: { x: 1 }, same: true, why: 'an undefined field counts as absent' },
    { a: { x: null }, b: {}, same: false, why: 'null is a value' },
    { a: {}, b: [], same: false, why: 'a list is not a mapping' },
    { a: 1, b: '1', same: false, why: 'a number is not a string' },
    { a: { x: [{ y: { z: 'a' } }] }, b: { x: [{ y: { z: 'b' } }] }, same: false, why: 'at any depth' },
  ];
  for (const { a, b, same, why } of cases) {
    it(`${JSON.stringify(a)} and ${JSON.stringify(b)}: ${why}`, () => {
      expect([sameJson(a, b), sameJson(b, a)]).to.deep.equal([same, same]);
    });
  }
});
