import { expect } from 'chai';
import { requeueAfter, retryAfter } from '../../src/controller/action.ts';
import { actionAfter } from '../../src/operator/reconcile.ts';
import type { Verdict } from '../../src/operator/verdict.ts';

const blocked: Verdict = {
  kind: 'blocked',
  configured: undefined,
  reason: 'ResourceConflict',
  message: 'taken',
};

describe('actionAfter', () => {
  it('looks after 1, 2, 4 seconds, then every 30, whether a foreign object is gone', () => {
    const ends = [0, 1, 2, 3, 4, 5, 100].map((failures) => actionAfter({ verdict: blocked }, failures));
    const waitsMs = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
    expect(ends).to.deep.equal(waitsMs.map((waitMs) => retryAfter(waitMs)));
  });

  it('comes back as soon as something else of the relay needs it', () => {
    expect(actionAfter({ verdict: blocked, againMs: 500 }, 5)).to.deep.equal(requeueAfter(500));
  });
});
