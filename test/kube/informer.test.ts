import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'chai';
import { Informer } from '../../src/kube/informer.ts';
import type { KubeObject } from '../../src/kube/object.ts';
import { Store } from '../../src/kube/store.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { answerJson, FakeApiServer, statusObject } from './fake-api-server.ts';

/** One watch that the informer opened; the test writes what it is told. */
type OpenWatch = {
  readonly query: URLSearchParams;
  readonly response: ServerResponse;
  readonly request: IncomingMessage;
};

const resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };

function configMap(name: string, resourceVersion: number, uid = name): KubeObject {
  const metadata = { name, namespace: 'edge', uid, resourceVersion: String(resourceVersion) };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata };
}

describe('Informer', () => {
  let server: FakeApiServer;
  let client: KubeClient;
  let clock: FakeClock;
  let store: Store<KubeObject>;
  let informer: Informer<KubeObject>;
  let changes: string[];
  let failures: Error[];
  let recoveries: number;
  /** Of how many failures the wait is over. */
  let waitedFor: number;
  /** Those that the test has not taken yet. */
  let watches: OpenWatch[];

  beforeEach(async () => {
    watches = [];
    server = new FakeApiServer(openWatch);
    await server.start();
    clock = new FakeClock();
    client = new KubeClient(server.kubeConfig(), systemClock);
    store = new Store<KubeObject>();
    changes = [];
    failures = [];
    recoveries = 0;
    waitedFor = 0;
    store.subscribe(({ now, before }) => {
      const name = (now ?? before)?.object().metadata.name;
      changes.push(`${name ?? ''} ${now?.resourceVersion ?? 'gone'}`);
    });
    informer = new Informer({
      client,
      clock,
      store,
      resource,
      namespace: 'edge',
      labelSelector: 'a=b',
      log: createLogger('off'),
      onFailure: (error) => failures.push(error),
      onRecovered: () => {
        recoveries += 1;
      },
      random: () => 0,
    });
    informer.start();
  });

  afterEach(async () => {
    await informer.stop();
    await client.close();
    await server.stop();
  });

  function openWatch(request: IncomingMessage, response: ServerResponse, url: URL): void {
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    watches.push({ query: url.searchParams, response, request });
  }

  /** The next watch that is opened: at once, or when `waitMs` have passed after the failure of the one before. */
  async function nextWatch(waitMs = 0): Promise<OpenWatch> {
    if (waitMs > 0) {
      await eventually('a failure', () => failures.length > waitedFor, { intervalMs: 5 });
      waitedFor = failures.length;
      clock.advance(waitMs);
    }
    return eventually('a watch', () => watches.shift(), { intervalMs: 5 });
  }

  function tell({ response }: OpenWatch, type: string, object: unknown): void {
    response.write(`${JSON.stringify({ type, object })}\n`);
  }

  function bookmark(watch: OpenWatch, resourceVersion: number, initialEnd = false): void {
    const annotations = initialEnd ? { 'k8s.io/initial-events-end': 'true' } : {};
    tell(watch, 'BOOKMARK', {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(resourceVersion), annotations },
    });
  }

  async function synced(objects: readonly KubeObject[] = [configMap('a', 5)]): Promise<OpenWatch> {
    const watch = await nextWatch();
    for (const object of objects) tell(watch, 'ADDED', object);
    bookmark(watch, 10, true);
    await informer.synced;
    return watch;
  }

  function seen(change: string): Promise<true> {
    return eventually(change, () => changes.includes(change), { intervalMs: 5 });
  }

  it('begins with all there is, which the watch itself lists', async () => {
    const watch = await nextWatch();
    const query = Object.fromEntries(watch.query);
    expect(query).to.include({
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      labelSelector: 'a=b',
    });
    expect(query).to.include({ watch: '1', allowWatchBookmarks: 'true', timeoutSeconds: '120' });
    tell(watch, 'ADDED', configMap('a', 5));
    tell(watch, 'ADDED', configMap('b', 6));
    tell(watch, 'DELETED', configMap('b', 7));
    expect(informer.isSynced).to.be.false;
    bookmark(watch, 10, true);
    await informer.synced;
    expect(changes).to.deep.equal(['a 5']);
  });

  it('follows what changes, and drops managedFields', async () => {
    const watch = await synced();
    const { metadata } = configMap('a', 11);
    tell(watch, 'MODIFIED', { ...configMap('a', 11), metadata: { ...metadata, managedFields: [{}] } });
    tell(watch, 'ADDED', configMap('b', 12));
    tell(watch, 'DELETED', configMap('b', 13));
    await seen('b gone');
    expect(changes).to.deep.equal(['a 5', 'a 11', 'b 12', 'b gone']);
    expect(store.get('edge/a')?.metadata).not.to.have.property('managedFields');
  });

  it('reads lines wherever they are cut', async () => {
    const watch = await synced();
    const line = Buffer.from(
      `${JSON.stringify({ type: 'ADDED', object: { ...configMap('b', 12), data: { a: 'ü' } } })}\n`,
    );
    for (const byte of line) watch.response.write(Buffer.of(byte));
    await seen('b 12');
    expect(store.get('edge/b')).to.have.nested.property('data.a', 'ü');
  });

  const unusual: { why: string; event: (object: KubeObject) => object }[] = [
    { why: 'the object comes first', event: (object) => ({ object, type: 'ADDED' }) },
    { why: 'there is more in it', event: (object) => ({ type: 'ADDED', object, more: {} }) },
  ];
  for (const { why, event } of unusual)
    it(`keeps the object of an event that is written in another way: ${why}`, async () => {
      const watch = await synced();
      const { metadata } = configMap('b', 12);
      const object = { ...configMap('b', 12), metadata: { managedFields: [{}], ...metadata } };
      watch.response.write(`${JSON.stringify(event(object))}\n`);
      await seen('b 12');
      expect(store.get('edge/b')).to.deep.equal(configMap('b', 12));
    });

  it('watches on from the last bookmark when its time is over', async () => {
    const watch = await synced();
    bookmark(watch, 42);
    tell(watch, 'ADDED', configMap('b', 43));
    await seen('b 43');
    clock.advance(60_000);
    tell(watch, 'ADDED', configMap('c', 44)); // else it would be silent for too long
    await seen('c 44');
    clock.advance(60_000);
    watch.response.end();
    const next = await nextWatch();
    expect(next.query.get('resourceVersion')).to.equal('44');
    expect(next.query.has('sendInitialEvents')).to.be.false;
    expect(failures).to.deep.equal([]);
  });

  it('starts over after 410, and notices what went meanwhile', async () => {
    const watch = await synced([configMap('a', 5), configMap('b', 6)]);
    tell(watch, 'ERROR', statusObject(410, 'Expired', 'too old'));
    const next = await nextWatch(500);
    expect(next.query.get('sendInitialEvents')).to.equal('true');
    tell(next, 'ADDED', configMap('b', 6));
    tell(next, 'ADDED', configMap('c', 50));
    bookmark(next, 60, true);
    await seen('c 50');
    expect(changes.slice(2)).to.deep.equal(['a gone', 'c 50']);
  });

  const faults: { why: string; fault: (watch: OpenWatch) => void }[] = [
    { why: 'the connection is cut', fault: ({ request }) => request.socket.destroy() },
    { why: 'the stream ends at once', fault: ({ response }) => response.end() },
    { why: 'a line is not JSON', fault: ({ response }) => response.write('<html>\n') },
    { why: 'the last line is cut', fault: ({ response }) => response.end('{"type":"ADD') },
    {
      why: 'a line is JSON of something else',
      fault: ({ response }) => response.write('{"kind":"Status"}\n'),
    },
    { why: 'a line is null', fault: ({ response }) => response.write('null\n') },
    {
      why: 'the type of an event is unknown',
      fault: (watch) => {
        tell(watch, 'FOO', configMap('x', 9));
      },
    },
    {
      why: 'the server reports an error',
      fault: (watch) => {
        tell(watch, 'ERROR', statusObject(500, 'InternalError', 'etcd'));
      },
    },
  ];
  for (const { why, fault } of faults) {
    it(`comes back where it was when ${why}`, async () => {
      fault(await synced());
      await eventually('the failure', () => failures.length === 1, { intervalMs: 5 });
      const next = await nextWatch(500);
      expect(next.query.get('resourceVersion')).to.equal('10');
      tell(next, 'ADDED', configMap('b', 11));
      await seen('b 11');
    });
  }

  it('reports a refusal until the server accepts the watch again, if nothing happens in it, after a second', async () => {
    const watch = await synced();
    server.handle = (_request, response) => {
      answerJson(response, statusObject(403, 'Forbidden', 'configmaps is forbidden'), 403);
    };
    tell(watch, 'ERROR', statusObject(500, 'InternalError', 'etcd'));
    await eventually('the failure', () => failures.length === 1, { intervalMs: 5 });
    expect(informer.refusal).to.equal(undefined);
    clock.advance(500);
    await eventually('the refusal', () => failures.length === 2, { intervalMs: 5 });
    expect(informer.refusal).to.equal('configmaps is forbidden');

    server.handle = openWatch;
    clock.advance(1_000);
    await nextWatch();
    expect(recoveries).to.equal(0);
    await eventually('the watch works', () => (clock.advance(1_000), recoveries > 0), { intervalMs: 5 });
    expect(informer.refusal).to.equal(undefined);
  });

  it('gives a watch up that the server does not end: only our half of the connection lives', async () => {
    await synced();
    clock.advance(134_999);
    expect(failures).to.deep.equal([]);
    clock.advance(1);
    await eventually('the failure', () => failures.length === 1, { intervalMs: 5 });
    expect(failures[0]?.name).to.equal('TimeoutError');
    await nextWatch(500);
  });

  it('gives a watch up that is silent for longer than the bookmarks of the server are apart', async () => {
    const watch = await synced();
    bookmark(watch, 11);
    tell(watch, 'ADDED', configMap('b', 12));
    await seen('b 12');
    clock.advance(89_999);
    expect(failures).to.deep.equal([]);
    clock.advance(1);
    await eventually('the failure', () => failures.length === 1, { intervalMs: 5 });
    expect(failures[0]?.message).to.equal('the server sends no more bookmarks');
    const next = await nextWatch(500);
    expect(next.query.get('resourceVersion')).to.equal('12');
  });

  it('tries every five seconds at most while there is no answer, and reports that there is one again', async () => {
    const watch = await synced();
    let tries = 0;
    server.handle = (request) => {
      tries += 1;
      request.socket.destroy();
    };
    watch.request.socket.destroy();
    for (let count = 1; count <= 6; count += 1) {
      await eventually('a failure', () => failures.length === count, { intervalMs: 5 });
      expect(tries).to.equal(count - 1);
      if (count < 6) clock.advance(2_500); // half of it, since the jitter of this test takes the other half off
    }
    expect(recoveries).to.equal(0);
    server.handle = openWatch;
    clock.advance(2_500);
    bookmark(await nextWatch(), 20, true);
    await eventually('that it is back', () => recoveries === 1, { intervalMs: 5 });
  });

  it('waits longer after each failure in a row, and as long as the server asks', async () => {
    const watch = await synced();
    const busy: number[] = [];
    server.handle = (_request, response) => {
      busy.push(clock.monotonicMs());
      response.setHeader('retry-after', '3');
      answerJson(response, statusObject(429, 'TooManyRequests', 'busy'), 429);
    };
    watch.request.socket.destroy();
    const isWaiting = (): boolean => failures.length === 1 + busy.length; // the cut, and what was answered
    await eventually(
      'retries',
      () => {
        if (isWaiting()) clock.advance(250);
        return busy.length >= 3;
      },
      { intervalMs: 5 },
    );
    expect((busy[1] ?? 0) - (busy[0] ?? 0)).to.be.least(3_000);
    await eventually('the last failure', isWaiting, { intervalMs: 5 });
    server.handle = openWatch;
    await nextWatch(30_000);
  });

  it('starts over when the server went back in time: its data was restored', async () => {
    const watch = await synced();
    bookmark(watch, 3);
    const next = await nextWatch(500);
    expect(next.query.get('sendInitialEvents')).to.equal('true');
  });

  it('does not take half of what there is for all of it', async () => {
    const watch = await synced([configMap('a', 5), configMap('b', 6)]);
    tell(watch, 'ERROR', statusObject(410, 'Expired', 'too old'));
    const half = await nextWatch(500);
    tell(half, 'ADDED', configMap('a', 5));
    half.request.socket.destroy();
    await nextWatch(500);
    expect(store.get('edge/b')).not.to.equal(undefined);
  });

  it('ends at once when it is stopped, also while it waits', async () => {
    const watch = await synced();
    watch.request.socket.destroy();
    await eventually('the failure', () => failures.length === 1, { intervalMs: 5 });
    await informer.stop();
  });
});

describe('Informer of a server without watch-list', () => {
  it('lists in pages, then watches from there', async () => {
    const server = new FakeApiServer((_request, response, url) => {
      const query = url.searchParams;
      if (query.has('sendInitialEvents')) {
        answerJson(response, statusObject(422, 'Invalid', 'sendInitialEvents is forbidden'), 422);
        return;
      }
      if (query.has('watch')) {
        response.writeHead(200).flushHeaders();
        return;
      }
      const { name, next } =
        query.get('continue') === 'more' ? { name: 'b', next: '' } : { name: 'a', next: 'more' };
      answerJson(response, {
        metadata: { resourceVersion: '20', continue: next },
        items: [{ metadata: configMap(name, 7).metadata }],
      });
    });
    await server.start();
    const client = new KubeClient(server.kubeConfig(), systemClock);
    const store = new Store<KubeObject>();
    const informer = new Informer({
      client,
      clock: systemClock,
      store,
      resource,
      log: createLogger('off'),
    });
    informer.start();
    await informer.synced;
    await eventually('the watch', () =>
      server.requests.some((url) => url.searchParams.get('resourceVersion') === '20'),
    );
    expect([store.get('edge/a'), store.get('edge/b')]).to.deep.equal([configMap('a', 7), configMap('b', 7)]);
    expect(server.requests.filter((url) => url.searchParams.get('limit') === '500')).to.have.lengthOf(2);
    await informer.stop();
    await client.close();
    await server.stop();
  });
});
