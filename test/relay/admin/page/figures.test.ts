import { expect } from 'chai';
import {
  bytesText,
  fromClients,
  opened,
  rate,
  refused,
  shares,
  type Snapshot,
} from '../../../../src/relay/admin/page/figures.ts';
import type { EndpointStatus, RelayStatus } from '../../../../src/relay/admin/status.ts';
import type { RemoteHealth } from '../../../../src/relay/upstream/remote.ts';

type Counts = {
  readonly total?: number;
  readonly bytes?: number;
  readonly remotes?: readonly RemoteHealth[];
};

function snapshot(ms: number, endpoints: Readonly<Record<string, Counts>>): Snapshot {
  const traffic = { active: 0, total: 0, failed: { client: 0, upstream: 0, relay: 0 }, fromUpstreamBytes: 0 };
  const list = Object.entries(endpoints).map(
    ([name, { total = 0, bytes = 0, remotes = [] }]): EndpointStatus => ({
      name,
      listen: '[::]:443',
      families: ['IPv6'],
      protocols: ['TCP'],
      ready: true,
      message: '',
      sockets: [],
      remotes: [],
      balance: 'off',
      health: { TCP: remotes, UDP: [] },
      connections: { ...traffic, total, fromClientBytes: bytes },
      associations: { ...traffic, fromClientBytes: 0 },
      waiting: 0,
      refused: { connections: 0, associations: 0 },
      notAllowed: { connections: 0, associations: 0 },
      tooManyOfClient: { connections: 0, associations: 0 },
      looped: { connections: 0, associations: 0 },
      probes: 0,
      evicted: 0,
      transport: '',
      transportProblem: '',
    }),
  );
  const status = {
    asOf: '',
    engine: 'kernel' as const,
    configHash: '',
    ready: true,
    draining: false,
    configProblem: '',
    descriptorsShort: 0,
    logLinesDropped: 0,
    memory: { budgetBytes: 1, usedBytes: 0, dropped: 0 },
    recentErrors: [],
  };
  return { ms, status: { ...status, endpoints: list } satisfies RelayStatus };
}

function remote(address: string, counts: Partial<RemoteHealth>): RemoteHealth {
  return { address, state: 'healthy', healthy: true, reason: '', active: 0, dials: 0, failed: 0, ...counts };
}

describe('page, figures', () => {
  it('are per second, of one endpoint or of all', () => {
    const [before, now] = [
      snapshot(1000, { a: { total: 1, bytes: 0 }, b: { total: 5 } }),
      snapshot(3000, { a: { total: 4, bytes: 5000 }, b: { total: 6 } }),
    ];
    expect(rate(before, now, opened)).to.equal(2);
    expect(rate(before, now, opened, 'a')).to.equal(1.5);
    expect(rate(before, now, fromClients, 'a')).to.equal(2500);
  });

  it('are unknown at first, for a new endpoint, and after a restart', () => {
    const [before, now] = [
      snapshot(0, { a: { total: 100 } }),
      snapshot(1000, { a: { total: 1 }, b: { total: 7 } }),
    ];
    expect(rate(undefined, now, opened, 'a')).to.equal(undefined);
    expect(rate(before, now, opened, 'a')).to.equal(undefined);
    expect(rate(before, now, opened, 'b')).to.equal(undefined);
    expect(rate(before, now, opened)).to.equal(0);
  });

  it('include shares of new connections, else of open ones, else none', () => {
    const first = snapshot(0, { a: { remotes: [remote('x', { dials: 10, failed: 4 }), remote('y', {})] } });
    const share = (...remotes: RemoteHealth[]): unknown => shares(first, 'a', 'TCP', remotes);
    expect(share(remote('x', { dials: 14, failed: 5 }), remote('y', { dials: 1 }))).to.deep.equal([
      0.75, 0.25,
    ]);
    expect(share(remote('x', { dials: 10, failed: 4, active: 1 }), remote('y', {}))).to.deep.equal([1, 0]);
    expect(share(remote('x', { dials: 10, failed: 4 }))).to.deep.equal([undefined]);
    expect(shares(undefined, 'a', 'TCP', [remote('x', { dials: 3 })])).to.deep.equal([1]);
  });

  it('count clients refused by a limit, and by allowed_sources', () => {
    const [endpoint] = snapshot(0, { a: {} }).status.endpoints;
    if (endpoint === undefined) throw new Error('no endpoint');
    expect(refused(endpoint)).to.equal(0);
    const room = { connections: 1, associations: 20 };
    const notAllowed = { connections: 300, associations: 4000 };
    expect(refused({ ...endpoint, refused: room, notAllowed })).to.equal(4321);
  });

  it('are written with units', () => {
    expect([undefined, 0, 999, 1500, 2_500_000, 3e9, 4e12].map(bytesText)).to.deep.equal([
      '–',
      '0 B/s',
      '999 B/s',
      '1.5 kB/s',
      '2.5 MB/s',
      '3 GB/s',
      '4,000 GB/s',
    ]);
  });
});
