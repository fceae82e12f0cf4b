import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalJson } from '../../src/lib/canonical-json.ts';

describe('canonicalJson', () => {
  it('sorts the keys of every object, keeps the order of lists, and leaves out undefined fields', () => {
    const value = { b: [{ y: 1, x: 'é' }, null, undefined], 'a/b': { d: undefined, c: true, B: {} }, a: 0.5 };
    expect(canonicalJson(value)).to.equal(
      '{"a":0.5,"a/b":{"B":{},"c":true},"b":[{"x":"é","y":1},null,null]}',
    );
  });

  it('is the same whatever the order of the fields, and parses back to the input', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
        const reversed = Object.fromEntries(Object.entries(fields).toReversed());
        expect(canonicalJson(reversed)).to.equal(canonicalJson(fields));
        expect(JSON.parse(canonicalJson(fields))).to.deep.equal(JSON.parse(JSON.stringify(fields)));
      }),
    );
  });
});
