import { expect } from 'chai';
import { Pacer } from '../../../src/operator/gateway/pacer.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('Pacer', () => {
  const key = 'gateway/edge/web';

  it('lets the first configuration through at once, and the next after a second', () => {
    const clock = new FakeClock();
    const pacer = new Pacer(clock);
    expect(pacer.waitMs(key, 'a')).to.equal(0);
    pacer.written(key, 'a');
    clock.advance(400);
    expect(pacer.waitMs(key, 'b')).to.equal(600);
    expect(pacer.delayMs(key)).to.equal(600);
    clock.advance(600);
    expect(pacer.waitMs(key, 'b')).to.equal(0);
  });

  it('holds up neither the configuration that was written nor other Gateways', () => {
    const pacer = new Pacer(new FakeClock());
    pacer.written(key, 'a');
    expect(pacer.waitMs(key, 'a')).to.equal(0);
    expect(pacer.waitMs('gateway/edge/other', 'b')).to.equal(0);
  });

  it('counts from the last change, not from the last time that the same was written', () => {
    const clock = new FakeClock();
    const pacer = new Pacer(clock);
    pacer.written(key, 'a');
    clock.advance(900);
    pacer.written(key, 'a');
    expect(pacer.waitMs(key, 'b')).to.equal(100);
    pacer.forget(key);
    expect(pacer.waitMs(key, 'b')).to.equal(0);
  });
});
