import { expect } from 'chai';
import { memoize } from '../../src/lib/memoize.ts';

describe('memoize', () => {
  it('computes once for each object, and undefined is a value, too', () => {
    const asked: object[] = [];
    const compute = memoize((object: { readonly value?: number }) => {
      asked.push(object);
      return object.value;
    });
    const [a, b, none] = [{ value: 1 }, { value: 1 }, {}];
    expect([a, a, b, none, none].map(compute)).to.deep.equal([1, 1, 1, undefined, undefined]);
    expect(asked).to.have.ordered.members([a, b, none]);
  });
});
