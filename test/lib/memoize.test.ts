import { expect } from 'chai';
import { memoize } from '../../src/lib/memoize.ts';

describe('memoize', () => {
  it('computes once for each object, even if the result is undefined', () => {
    const computed: object[] = [];
    const compute = memoize((object: { readonly value?: number }) => {
      computed.push(object);
      return object.value;
    });
    const [a, b, none] = [{ value: 1 }, { value: 1 }, {}];
    expect([a, a, b, none, none].map(compute)).to.deep.equal([1, 1, 1, undefined, undefined]);
    expect(computed).to.have.ordered.members([a, b, none]);
  });
});
