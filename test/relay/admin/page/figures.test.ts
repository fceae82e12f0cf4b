import { expect } from 'chai';
import {
  fromClients,
  opened,
  rate,
  refused,
  remoteRate,
  shares,
  warnings,
  type Snapshot,
} from '../../../../src/relay/admin/page/figures.ts';
import { bytesText, durationText, sizeText } from '../../../../src/telemetry/page/texts.ts';
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
      '4 TB/s',
    ]);
  });

  it('include durations by their two largest units', () => {
    const cases: Record<string, number> = {
      '0 s': 999,
      '59 s': 59_000,
      '1 min': 60_000,
      '1 min 1 s': 61_000,
      '2 h 5 min': 7_500_000,
      '3 d 4 h': 273_600_000 + 5 * 60_000,
    };
    for (const [text, ms] of Object.entries(cases)) expect(durationText(ms)).to.equal(text);
    expect(sizeText(4e12)).to.equal('4 TB');
  });

  it('include the traffic of a remote, unknown after a restart and for a new one', () => {
    const at = (ms: number, bytes: number): Snapshot =>
      snapshot(ms, { a: { remotes: [remoteHealth('x', { fromClientBytes: bytes })] } });
    const rateOf = (before: Snapshot | undefined, address: string, bytes: number): unknown =>
      remoteRate(before, at(2000, bytes), {
        endpoint: 'a',
        protocol: 'TCP',
        remote: remoteHealth(address, { fromClientBytes: bytes }),
        index: 0,
      }).fromClients;
    expect(rateOf(at(0, 100), 'x', 300)).to.equal(100);
    expect(rateOf(at(0, 100), 'x', 50)).to.equal(undefined);
    expect(rateOf(at(0, 100), 'y', 300)).to.equal(undefined);
    expect(rateOf(undefined, 'x', 300)).to.equal(undefined);
  });

  it('include warnings about the relay as a whole', () => {
    expect(warnings(relayStatus())).to.deep.equal([]);
    const memory = { budgetBytes: 1, usedBytes: 1, dropped: 2 };
    const short = relayStatus({
      memory,
      descriptorsShort: 1,
      logLinesDropped: 1000,
      workers: { running: [], replaced: 1 },
    });
    expect(warnings(short)).to.have.lengthOf(4);
    expect(warnings(short).join(' ')).to.match(/1,000 lines of the log were .* 1 worker exited and was/);
    expect(warnings(relayStatus({ logLinesDropped: 1 })).join(' ')).to.match(
      /^1 line of the log was dropped/,
    );
  });
});
