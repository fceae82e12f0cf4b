import { expect } from 'chai';
import { errorCode } from '../../../src/lib/errors.ts';
import { AnswerCache, type Answer } from '../../../src/relay/dns/answer-cache.ts';
import { noAnswer, notFound } from '../../../src/relay/dns/name-error.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** One query of a cache, which the test answers. */
type Query = PromiseWithResolvers<Answer> & { readonly name: string; readonly signal: AbortSignal };

function cacheOf(size = 10): {
  readonly cache: AnswerCache;
  readonly clock: FakeClock;
  readonly queries: Query[];
  readonly stale: string[];
} {
  const clock = new FakeClock();
  const queries: Query[] = [];
  const stale: string[] = [];
  const cache = new AnswerCache({
    size,
    clock,
    onStale: (name) => stale.push(name),
    query: (name, signal) => {
      const query = { ...Promise.withResolvers<Answer>(), name, signal };
      queries.push(query);
      signal.addEventListener('abort', () => {
        query.reject(signal.reason);
      });
      return query.promise;
    },
  });
  return { cache, clock, queries, stale };
}

const [old, fresh] = [['192.0.2.1'], ['192.0.2.2']];
const silent = noAnswer('a', 'they do not answer');

/** A cache that knows `a` by an answer that expired a millisecond ago. */
async function expired(ttlMs = 1000): Promise<ReturnType<typeof cacheOf>> {
  const fixture = cacheOf();
  const first = fixture.cache.addresses('a');
  fixture.queries[0]?.resolve({ addresses: old, ttlMs });
  await first;
  fixture.clock.advance(ttlMs + 1);
  return fixture;
}

const failureOf = async (lookup: Promise<unknown>): Promise<string> =>
  lookup.then(String, (error: unknown) => errorCode(error));

describe('answer cache, clients that leave', () => {
  it('ends a query when the last client has left, and not before', async () => {
    const { cache, queries } = cacheOf();
    const clients = [new AbortController(), new AbortController()];
    const lookups = clients.map(({ signal }) => cache.addresses('a', signal).catch(() => 'left'));
    clients[0]?.abort();
    expect(await lookups[0]).to.equal('left');
    expect(queries.map(({ signal }) => signal.aborted)).to.deep.equal([false]);
    clients[1]?.abort();
    expect(await lookups[1]).to.equal('left');
    expect(queries.map(({ signal }) => signal.aborted)).to.deep.equal([true]);
  });

  it('starts another query for the next client', async () => {
    const { cache, queries } = cacheOf();
    const client = new AbortController();
    const left = cache.addresses('a', client.signal).catch(() => 'left');
    client.abort();
    await left;
    const next = cache.addresses('a');
    expect(queries).to.have.length(2);
    queries[1]?.resolve({ addresses: fresh, ttlMs: 1000 });
    expect(await next).to.deep.equal(fresh);
  });

  it('serves a client that came before another left', async () => {
    const { cache, queries } = cacheOf();
    const client = new AbortController();
    const left = cache.addresses('a', client.signal).catch(() => 'left');
    const stays = cache.addresses('a');
    client.abort();
    await left;
    queries[0]?.resolve({ addresses: fresh, ttlMs: 1000 });
    expect(await stays).to.deep.equal(fresh);
    expect(queries).to.have.length(1);
  });
});

describe('answer cache, failures', () => {
  const kept = [
    { error: notFound('a', undefined), keptMs: 5000, why: 'a name that does not exist' },
    { error: notFound('a', 2000), keptMs: 2000, why: 'a name that does not exist, as its zone states' },
    { error: notFound('a', 86_400_000), keptMs: 5000, why: 'a name that does not exist, for 5 s at most' },
    { error: notFound('a', 0), keptMs: 1000, why: 'a name that does not exist, for 1 s at least' },
    { error: silent, keptMs: 1000, why: 'servers that do not answer' },
  ];
  for (const { error, keptMs, why } of kept) {
    it(`keeps the failure for ${why}: ${String(keptMs)} ms`, async () => {
      const { cache, clock, queries } = cacheOf();
      const first = cache.addresses('a');
      queries[0]?.reject(error);
      expect(await failureOf(first)).to.equal(error.code);
      clock.advance(keptMs - 1);
      expect(await failureOf(cache.addresses('a'))).to.equal(error.code);
      expect(queries).to.have.length(1);
      clock.advance(1);
      void cache.addresses('a');
      expect(queries).to.have.length(2);
    });
  }
});

describe('answer cache, answers beyond their time to live', () => {
  it('uses the new answer if it comes within half a second', async () => {
    const { cache, clock, queries } = await expired();
    const lookup = cache.addresses('a');
    clock.advance(499);
    queries[1]?.resolve({ addresses: fresh, ttlMs: 1000 });
    expect(await lookup).to.deep.equal(fresh);
  });

  it('uses the old answer after half a second of silence, while the query goes on', async () => {
    const { cache, clock, queries } = await expired();
    const client = new AbortController();
    const lookup = cache.addresses('a', client.signal);
    clock.advance(500);
    expect(await lookup).to.deep.equal(old);
    client.abort();
    expect(queries[1]?.signal.aborted).to.equal(false);
    const next = cache.addresses('a');
    clock.advance(0); // the query has had its half second
    expect(await next).to.deep.equal(old);
    queries[1]?.resolve({ addresses: fresh, ttlMs: 1000 });
    await queries[1]?.promise;
    expect(await cache.addresses('a')).to.deep.equal(fresh);
    expect(queries).to.have.length(2);
  });

  it('uses it at once when the servers fail, and reports that once', async () => {
    const { cache, queries, stale } = await expired();
    const lookup = cache.addresses('a');
    queries[1]?.reject(silent);
    expect(await lookup).to.deep.equal(old);
    expect(await cache.addresses('a')).to.deep.equal(old);
    expect(queries).to.have.length(2);
    expect(stale).to.deep.equal(['a']);
  });

  it('asks servers that failed every five seconds, and makes no client wait for it', async () => {
    const { cache, clock, queries, stale } = await expired();
    const lookup = cache.addresses('a');
    queries[1]?.reject(silent);
    await lookup;
    clock.advance(5000);
    expect(await cache.addresses('a')).to.deep.equal(old);
    expect(queries).to.have.length(3);
    queries[2]?.reject(silent);
    await queries[2]?.promise.catch(() => undefined);
    expect(await cache.addresses('a')).to.deep.equal(old);
    expect(stale).to.deep.equal(['a']);
    clock.advance(5000);
    expect(await cache.addresses('a')).to.deep.equal(old);
    queries[3]?.resolve({ addresses: fresh, ttlMs: 1000 });
    await queries[3]?.promise;
    expect(await cache.addresses('a')).to.deep.equal(fresh);
  });

  it('honours that the name does not exist any more', async () => {
    const { cache, queries } = await expired();
    const lookup = cache.addresses('a');
    queries[1]?.reject(notFound('a', undefined));
    expect(await failureOf(lookup)).to.equal('ENOTFOUND');
    expect(await failureOf(cache.addresses('a'))).to.equal('ENOTFOUND');
    expect(queries).to.have.length(2);
  });

  it('uses no answer that expired an hour ago', async () => {
    const { cache, clock, queries } = await expired();
    clock.advance(3_600_000);
    const lookup = cache.addresses('a');
    queries[1]?.reject(silent);
    expect(await failureOf(lookup)).to.equal('EAI_AGAIN');
  });

  it('uses none if nothing is cached', async () => {
    const { cache, clock, queries } = cacheOf(0);
    const first = cache.addresses('a');
    queries[0]?.resolve({ addresses: old, ttlMs: 1000 });
    await first;
    clock.advance(1001);
    const lookup = cache.addresses('a');
    queries[1]?.reject(silent);
    expect(await failureOf(lookup)).to.equal('EAI_AGAIN');
  });
});

describe('answer cache, limits', () => {
  it('looks up 4,096 names at once, and rejects more', async () => {
    const { cache, queries } = cacheOf();
    const lookups = Array.from({ length: 4096 }, (_, index) => cache.addresses(String(index)));
    expect(await failureOf(cache.addresses('one more'))).to.equal('EAI_AGAIN');
    for (const query of queries) query.resolve({ addresses: fresh, ttlMs: 0 });
    await Promise.all(lookups);
    const next = cache.addresses('one more');
    queries.at(-1)?.resolve({ addresses: fresh, ttlMs: 0 });
    expect(await next).to.deep.equal(fresh);
  });

  it('lets 65,536 clients wait for one name, and rejects more', async () => {
    const { cache, queries } = cacheOf();
    const lookups = Array.from({ length: 65_536 }, () => cache.addresses('a'));
    expect(await failureOf(cache.addresses('a'))).to.equal('EAI_AGAIN');
    queries[0]?.resolve({ addresses: fresh, ttlMs: 0 });
    expect(new Set((await Promise.all(lookups)).flat())).to.deep.equal(new Set(fresh));
    expect(queries).to.have.length(1);
  });
});
