import { expect } from 'chai';
import { SearchLimit } from '../../../src/relay/listener/search-limit.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('the limit of searches for port owners', () => {
  it('lets eight start in ten seconds, however many ports are in use', () => {
    const clock = new FakeClock();
    const searches = new SearchLimit(clock);
    const started = (): number =>
      Array.from({ length: 10_000 }, () => searches.take()).filter(Boolean).length;
    expect(started()).to.equal(8);
    clock.advance(9_999);
    expect(started()).to.equal(0);
    clock.advance(1);
    expect(started()).to.equal(8);
  });
});
