import { expect } from 'chai';
import {
  isFault,
  parseSocketAddress,
  socketAddressText,
  type SocketAddress,
} from '../../../src/config/address.ts';
import type { BalanceConfig } from '../../../src/config/balance.ts';
import { balancer, type Choice } from '../../../src/relay/upstream/balancer.ts';

function remotes(count: number): SocketAddress[] {
  return Array.from({ length: count }, (_, index) => {
    const parsed = parseSocketAddress(`10.0.0.${String(index + 1)}:80`);
    if (isFault(parsed)) throw new Error(parsed.what);
    return parsed;
  });
}

function firstOf<R>([each]: Iterable<R>): R | undefined {
  return each;
}

/** The remote that comes first for each client, as a letter: `a` is the first of the configuration. */
function firsts(
  strategy: BalanceConfig['strategy'],
  weights: readonly number[],
  clients: readonly string[],
): string {
  const all = remotes(weights.length);
  const pick = balancer({ strategy, weights }, all);
  return clients.map((client) => letter(all, firstOf(pick(client)))).join('');
}

function letter(all: readonly SocketAddress[], remote: SocketAddress | undefined): string {
  return 'abcdefgh'[all.findIndex((each) => each === remote)] ?? '?';
}

const sevenTimes = Array.from({ length: 7 }, () => '::1');
const manyClients = Array.from(
  { length: 6000 },
  (_, index) => `10.${String(index >> 8)}.${String(index & 255)}.7`,
);

/** Pearson's chi-square statistic of how often each remote came first, against its weight. */
function chiSquare(weights: readonly number[], letters: string): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.reduce((sum, weight, index) => {
    const expected = (letters.length * weight) / total;
    const observed = letters.split('abcdefgh'[index] ?? '').length - 1;
    return sum + (observed - expected) ** 2 / expected;
  }, 0);
}

describe('balancer', () => {
  const cases = [
    { strategy: 'off', weights: [1, 1, 1], first: 'aaaaaaa', why: 'the first remote is always preferred' },
    {
      strategy: 'roundrobin',
      weights: [4, 2, 1],
      first: 'abacaba',
      why: 'turns follow the weights, spread out',
    },
    { strategy: 'roundrobin', weights: [1, 1, 1], first: 'abcabca', why: 'equal weights alternate' },
    { strategy: 'roundrobin', weights: [0, 1, 0], first: 'bbbbbbb', why: 'weight 0 is only a backup' },
    {
      strategy: 'roundrobin',
      weights: [0, 0],
      first: 'aaaaaaa',
      why: 'the first remote if all weights are 0, as in Realm',
    },
    {
      strategy: 'leastconnections',
      weights: [1, 1, 1],
      first: 'abcabca',
      why: 'equals alternate',
    },
    { strategy: 'iphash', weights: [0, 0, 1], first: 'ccccccc', why: 'weight 0 is only a backup' },
  ] as const;
  for (const { strategy, weights, first, why } of cases) {
    it(`${strategy} ${weights.join()}: ${why}`, () => {
      expect(firsts(strategy, weights, sevenTimes)).to.equal(first);
    });
  }

  const loads = [
    { active: [3, 1, 2], weights: [1, 1, 1], order: 'bca', why: 'the fewest connections come first' },
    { active: [3, 1, 2], weights: [8, 1, 1], order: 'abc', why: 'connections count per weight' },
    { active: [0, 0, 9], weights: [1, 1, 0], order: 'abc', why: 'weight 0 comes last' },
  ];
  for (const { active, weights, order, why } of loads) {
    it(`leastconnections ${active.join()} by ${weights.join()}: ${why}`, () => {
      const all = remotes(3).map((remote, index) => ({ ...remote, active: active[index] ?? 0 }));
      const picked = balancer({ strategy: 'leastconnections', weights }, all)('::1');
      expect([...picked].map((remote) => letter(all, remote)).join('')).to.equal(order);
    });
  }

  it('roundrobin shares the turns of an ejected remote by weight', () => {
    const all: Choice[] = remotes(3).map((remote, index) => ({ ...remote, isPreferred: index !== 0 }));
    const pick = balancer({ strategy: 'roundrobin', weights: [4, 2, 1] }, all);
    expect(sevenTimes.map((client) => letter(all, firstOf(pick(client)))).join('')).to.equal('bcbbcbb');
  });

  it('returns every remote exactly once, those of weight 0 last', () => {
    for (const strategy of ['roundrobin', 'iphash', 'leastconnections'] as const) {
      const all = remotes(5);
      const pick = balancer({ strategy, weights: [1, 0, 3, 0, 2] }, all);
      for (const client of manyClients.slice(0, 20)) {
        const order = [...pick(client)].map((remote) => letter(all, remote));
        expect(order.toSorted()).to.deep.equal(['a', 'b', 'c', 'd', 'e']);
        expect(order.slice(3)).to.have.members(['b', 'd']);
      }
    }
  });

  describe('iphash', () => {
    // The limits are the 99.9 % quantiles of the chi-square distribution with 1, 2 and 7 degrees of freedom.
    const shares = [
      { weights: [1, 1], limit: 10.83 },
      { weights: [4, 2, 1], limit: 13.82 },
      { weights: [1, 2, 4], limit: 13.82 },
      { weights: [1, 1, 1, 1, 1, 1, 1, 1], limit: 24.32 },
    ];
    for (const { weights, limit } of shares) {
      it(`spreads clients by the weights ${weights.join()}`, () => {
        expect(chiSquare(weights, firsts('iphash', weights, manyClients))).to.be.below(limit);
      });
    }

    it('keeps a client on its remote', () => {
      const again = firsts('iphash', [1, 1, 1], manyClients.slice(0, 100));
      expect(firsts('iphash', [1, 1, 1], manyClients.slice(0, 100))).to.equal(again);
    });

    it('gives the same result in every process and version', () => {
      // Computed independently in Python from the same definition.
      expect(
        firsts('iphash', [1, 1, 1], ['10.0.0.1', '10.0.0.2', '192.0.2.7', '2001:db8::1', '::1']),
      ).to.equal('ccbaa');
    });

    it('moves to an added remote its share of the clients, and no others', () => {
      const [before, after] = [
        [1, 1, 1, 1],
        [1, 1, 1, 1, 1],
      ].map((weights) => firsts('iphash', weights, manyClients));
      const moved = manyClients.filter((_, index) => before?.[index] !== after?.[index]);
      const movedTo = moved.map((client) => after?.[manyClients.indexOf(client)]);
      expect(moved.length / manyClients.length).to.be.within(0.18, 0.22);
      expect(new Set(movedTo)).to.deep.equal(new Set(['e']));
    });

    it('spreads clients over remotes with one address', () => {
      const [first] = remotes(1);
      if (first === undefined) throw new Error('no remote');
      const twice = [first, { ...first }];
      const pick = balancer({ strategy: 'iphash', weights: [1, 1] }, twice);
      const letters = new Set(manyClients.slice(0, 50).map((client) => letter(twice, firstOf(pick(client)))));
      expect(letters.size).to.equal(2);
      expect(twice.map(socketAddressText)).to.deep.equal(['10.0.0.1:80', '10.0.0.1:80']);
    });
  });
});
