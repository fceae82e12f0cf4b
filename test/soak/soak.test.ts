import { expect } from 'chai';
import { LoopbackRelay } from './loopback-relay.ts';
import { report, violations } from './report.ts';
import { isLeak, Ledger } from './ledger.ts';
import { slope, studentQuantile } from './slope.ts';
import { Soak } from './soak.ts';
import { StreamBook } from './stream.ts';

const seed = 1;

describe('relay under load and faults', () => {
  /** A fixed slice of `make soak`: each fault once. */
  it('loses no byte unseen, explains each error by a fault, and is idle again after each fault', async () => {
    const book = new StreamBook();
    const relay = await LoopbackRelay.start(book);
    try {
      const rounds = relay.faults.length + 1;
      const soak = new Soak(book, relay, {
        seed,
        lanes: 12,
        streamsOfRound: 60,
        goesOn: (round) => round < rounds,
      });
      const ledger = await soak.run();
      expect(violations(ledger), report(ledger)).to.deep.equal([]);
      expect(ledger.faults.size).to.equal(rounds);
      expect(relay.stderr).to.equal('');
    } finally {
      await relay.end();
    }
  });
});

describe('slope', () => {
  it('is that of the line, with an interval that the deviations decide', () => {
    const exact = slope([0, 1, 2, 3, 4, 5].map((x) => ({ x, y: 7 + 3 * x })));
    expect(exact?.value).to.be.closeTo(3, 1e-9);
    expect((exact?.high ?? 0) - (exact?.low ?? 0)).to.be.closeTo(0, 1e-6);
    // The standard error is 0.2321, and the quantile of 4 degrees of freedom 2.7764.
    const rough = slope([1, 3, 2, 5, 4, 6].map((y, x) => ({ x, y })));
    expect(rough?.value).to.be.closeTo(0.8857, 1e-4);
    expect(rough?.low).to.be.closeTo(0.2413, 2e-3);
    expect(rough?.high).to.be.closeTo(1.5302, 2e-3);
  });

  for (const { degrees, quantile } of [
    { degrees: 4, quantile: 2.7764 },
    { degrees: 10, quantile: 2.2281 },
    { degrees: 100, quantile: 1.984 },
  ]) {
    it(`uses the quantile of Student's distribution with ${String(degrees)} degrees of freedom`, () => {
      expect(studentQuantile(degrees)).to.be.closeTo(quantile, 0.005);
    });
  }
});

describe('a leak', () => {
  const cases = [
    { grows: 0, noise: 5, leaks: false, why: 'noise is no growth' },
    {
      grows: 2,
      noise: 5,
      leaks: true,
      why: 'two descriptors for each 1,000 streams, certain in spite of the noise',
    },
    { grows: 2, noise: 500, leaks: false, why: 'the interval is wide, so nothing is certain' },
    { grows: -2, noise: 5, leaks: false, why: 'it shrinks' },
  ];
  for (const { grows, noise, leaks, why } of cases) {
    it(`is ${leaks ? 'found' : 'not found'}: ${why}`, () => {
      const ledger = new Ledger();
      for (let thousand = 0; thousand < 30; thousand += 1) {
        const descriptors = 40 + grows * thousand + (thousand % 2 === 0 ? noise : -noise);
        const idle = { process: 'relay', connections: 0, associations: 0, usage: { descriptors } };
        ledger.addSample(thousand * 1_000, idle);
      }
      expect(ledger.growths().map(isLeak)).to.deep.equal([leaks]);
    });
  }
});
