import { expect } from 'chai';
import { withTimeout } from '../../src/lib/with-timeout.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** Work that goes on until it is aborted. */
async function endless(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const end = (): void => {
    reject(signal.reason as Error);
  };
  if (signal.aborted) end();
  signal.addEventListener('abort', end);
  return promise;
}

describe('withTimeout', () => {
  const [clock, stop] = [new FakeClock(), new AbortController()];
  const limits = { clock, timeoutMs: 1_000, signals: [new AbortController().signal, stop.signal] };

  it('returns the result or the error of the work, and leaves no timer behind', async () => {
    expect(await withTimeout(limits, () => Promise.resolve(7))).to.equal(7);
    const failed = await withTimeout(limits, () => Promise.reject(new Error('no'))).catch(String);
    expect(failed).to.equal('Error: no');
    expect(clock.timers).to.equal(0);
  });

  it('ends the work when its time is over', async () => {
    const ended = withTimeout(limits, endless).catch((error: unknown) => error);
    clock.advance(1_000);
    expect(await ended).to.include({ name: 'TimeoutError', message: 'it took longer than 1000 ms' });
  });

  it('ends the work at the first signal, even if that was aborted before', async () => {
    const ended = withTimeout(limits, endless).catch((error: unknown) => error);
    const reason = new Error('the term is over');
    stop.abort(reason);
    expect(await ended).to.equal(reason);
    expect(await withTimeout(limits, endless).catch((error: unknown) => error)).to.equal(reason);
    expect(clock.timers).to.equal(0);
  });
});
