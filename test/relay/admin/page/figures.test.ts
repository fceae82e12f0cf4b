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
import type { RemoteHealth } from '../../../../src/relay/upstream/remote-health.ts';
import { endpointStatus, noTraffic, relayStatus, remoteHealth } from '../../../support/relay-status.ts';

type Counts = {
  readonly total?: number;
  readonly bytes?: number;
  readonly remotes?: readonly RemoteHealth[];
};

function snapshot(ms: number, endpoints: Readonly<Record<string, Counts>>): Snapshot {
  const list = Object.entries(endpoints).map(([name, { total = 0, bytes = 0, remotes = [] }]) =>
    endpointStatus({
      name,
      health: { TCP: remotes, UDP: [] },
      connections: { ...noTraffic, total, fromClientBytes: bytes },
    }),
  );
  return { ms, status: relayStatus({ endpoints: list }) };
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
    const first = snapshot(0, {
      a: { remotes: [remoteHealth('x', { dials: 10, failed: 4 }), remoteHealth('y', {})] },
    });
    const share = (...remotes: RemoteHealth[]): unknown => shares(first, 'a', 'TCP', remotes);
    expect(share(remoteHealth('x', { dials: 14, failed: 5 }), remoteHealth('y', { dials: 1 }))).to.deep.equal(
      [0.75, 0.25],
    );
    expect(
      share(remoteHealth('x', { dials: 10, failed: 4, active: 1 }), remoteHealth('y', {})),
    ).to.deep.equal([1, 0]);
    expect(share(remoteHealth('x', { dials: 10, failed: 4 }))).to.deep.equal([undefined]);
    expect(shares(undefined, 'a', 'TCP', [remoteHealth('x', { dials: 3 })])).to.deep.equal([1]);
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
