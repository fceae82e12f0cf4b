import { expect } from 'chai';
import { PermitLedger, type PermitHolder } from '../../../src/relay/workers/permit-ledger.ts';
import type { Note } from '../../../src/relay/workers/messages.ts';
import { config, endpoint, keptLog } from '../loopback.ts';

const web = 'web';

/** A ledger with a limit, and two workers that remember what they are told. */
function setUp(max_connections: number, max_waiting = 10) {
  const { log, lines } = keptLog();
  const ledger = new PermitLedger(log);
  const worker = (): PermitHolder & { told: [string, number][] } => {
    const told: [string, number][] = [];
    return { told, send: (note: Note) => 'count' in note && told.push([note.note, note.count]) };
  };
  const limit = (most: number, taken = new Map<PermitHolder, ReadonlyMap<string, number>>()): void => {
    ledger.beginCommit();
    const network = { max_connections: most, max_waiting };
    ledger.endCommit(config(endpoint('127.0.0.1:1', {}, network)).endpoints, taken);
  };
  limit(max_connections);
  return { ledger, limit, lines, a: worker(), b: worker() };
}

describe('permit ledger', () => {
  it('grants free permits, then the oldest request', () => {
    const { ledger, a, b } = setUp(2);
    ledger.acquire(a, { endpoint: web, count: 3 });
    ledger.acquire(b, { endpoint: web, count: 1 });
    expect([a.told, b.told]).to.deep.equal([[['grant', 2]], []]);
    ledger.release(a, { endpoint: web, count: 2 });
    expect([a.told.at(-1), b.told]).to.deep.equal([['grant', 1], [['grant', 1]]]);
  });

  it('denies requests beyond max_waiting, the newest first, and logs each incident once', () => {
    const { ledger, lines, a, b } = setUp(1, 1);
    ledger.acquire(a, { endpoint: web, count: 1 });
    ledger.acquire(a, { endpoint: web, count: 1 });
    ledger.acquire(b, { endpoint: web, count: 2 });
    expect(b.told).to.deep.equal([['deny', 2]]);
    ledger.release(a, { endpoint: web, count: 1 });
    ledger.release(a, { endpoint: web, count: 1 });
    expect(a.told).to.deep.equal([
      ['grant', 1],
      ['grant', 1],
    ]);
    expect(lines.map(({ msg }) => msg)).to.deep.equal([
      'connection limit reached',
      'queue full, resetting clients',
      'connection limit no longer reached',
    ]);
    expect(lines.at(-1)).to.include({ endpoint: web, waited: 1, refused: 2 });
  });

  it('frees the permits of a lost worker, and forgets its requests', () => {
    const { ledger, a, b } = setUp(1);
    ledger.acquire(a, { endpoint: web, count: 2 });
    ledger.acquire(b, { endpoint: web, count: 1 });
    ledger.holderLost(a);
    expect([a.told, b.told]).to.deep.equal([[['grant', 1]], [['grant', 1]]]);
  });

  it('counts connections older than the limit, even beyond it', () => {
    const { ledger, limit, a, b } = setUp(0);
    ledger.beginCommit();
    ledger.acquire(b, { endpoint: web, count: 1 }); // of a worker that has changed already
    expect(b.told).to.deep.equal([]);
    limit(2, new Map([[a, new Map([[web, 3]])]]));
    ledger.release(a, { endpoint: web, count: 1 });
    expect(b.told).to.deep.equal([]);
    ledger.release(a, { endpoint: web, count: 1 });
    expect(b.told).to.deep.equal([['grant', 1]]);
  });

  it('grants every waiting request when the limit is lifted', () => {
    const { ledger, limit, a, b } = setUp(1);
    ledger.acquire(a, { endpoint: web, count: 1 });
    ledger.acquire(b, { endpoint: web, count: 2 });
    limit(0);
    expect(b.told).to.deep.equal([['grant', 2]]);
  });

  it('denies the requests of a discarded plan', () => {
    const { ledger, a } = setUp(1);
    ledger.acquire(a, { endpoint: 'planned', count: 2 });
    expect(a.told).to.deep.equal([]);
    ledger.discard();
    expect(a.told).to.deep.equal([['deny', 2]]);
  });
});
