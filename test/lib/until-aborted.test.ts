import { expect } from 'chai';
import { untilAborted } from '../../src/lib/until-aborted.ts';

describe('untilAborted', () => {
  const never = new Promise<never>(() => undefined);

  it('is the result or the error of the work', async () => {
    const { signal } = new AbortController();
    expect(await untilAborted(Promise.resolve(1), signal)).to.equal(1);
    expect(await untilAborted(Promise.resolve(2), undefined)).to.equal(2);
    const failing = untilAborted(Promise.reject(new Error('no')), signal);
    expect(await failing.catch((error: unknown) => String(error))).to.equal('Error: no');
  });

  it('rejects with the reason as soon as the signal aborts, and if it had already', async () => {
    const end = new AbortController();
    const waiting = untilAborted(never, end.signal).catch((error: unknown) => error);
    const reason = new Error('over');
    end.abort(reason);
    expect(await waiting).to.equal(reason);
    expect(await untilAborted(never, end.signal).catch((error: unknown) => error)).to.equal(reason);
  });
});
