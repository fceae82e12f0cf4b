import { expect } from 'chai';
import { Coverage } from './coverage.ts';
import { parseSocketAddress } from '../../src/config/address.ts';
import { fuzz } from './fuzzer.ts';
import { seeded } from './mutator.ts';
import { targets } from './targets.ts';

// A fixed slice of `make fuzz`: the kept corpus, and so many mutations of it from a fixed seed.
const inputs = 1000;

const slice = {
  hasNewBlock: () => false,
  goesOn: (done: number) => done < inputs,
  onNew: () => undefined,
};

describe('parsers of what outsiders write', () => {
  for (const target of targets) {
    it(`${target.name}: keeps its promises for its corpus and mutations of it`, async () => {
      const { violation } = await fuzz(target, { ...slice, random: seeded(1) });
      const input = JSON.stringify(violation?.input.toString('latin1'));
      expect(violation && `${String(violation.error)} for ${input}`).to.equal(undefined);
    });
  }

  it('finds a promise that is broken', async () => {
    const target = {
      name: 'none',
      seeds: ['abc'],
      tokens: ['boom'],
      run: (input: Buffer) => {
        if (input.includes('boom')) throw new Error('found');
      },
    };
    const { violation } = await fuzz(target, { ...slice, random: seeded(1) });
    expect(String(violation?.error)).to.equal('Error: found');
  });

  it('counts the code that an input reaches for the first time', () => {
    const coverage = new Coverage();
    const hasNew = (text: string): boolean => {
      parseSocketAddress(text);
      return coverage.hasNewBlock();
    };
    try {
      hasNew('a.example:1');
      expect(hasNew('a.example:1')).to.equal(false);
      expect(hasNew('[::1]:1')).to.equal(true);
    } finally {
      coverage.stop();
    }
  });
});
