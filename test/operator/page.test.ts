import { request } from 'node:http';
import { expect } from 'chai';
import type { RealmRelayStatus } from '../../src/api/schema/realm-relay.ts';
import { apiVersion, kind } from '../../src/api/schema/realm-relay.ts';
import { PackedObject } from '../../src/kube/packed-object.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { hostAddresses } from '../../src/lib/own-addresses.ts';
import type { RelayObject } from '../../src/operator/kinds.ts';
import { html, policy } from '../../src/operator/page/html.ts';
import { operatorRoutes } from '../../src/operator/routes.ts';
import { startHealthServer, type HealthServer } from '../../src/telemetry/health-server.ts';
import { Registry } from '../../src/telemetry/metrics.ts';
import { expectAccessible } from '../support/accessibility.ts';
import { describeWithChromium } from '../support/browser.ts';

const evil = `<img src=x onerror="document.title='taken'">`;
const lastTransitionTime = '2026-01-01T00:00:00Z';

function relay(name: string, ready: 'True' | 'False', message = ''): PackedObject<RelayObject> {
  const conditions = [{ type: 'Ready', status: ready, reason: 'PodsNotReady', message, lastTransitionTime }];
  const status: RealmRelayStatus = { conditions, replicas: 2, readyReplicas: ready === 'True' ? 2 : 1 };
  return new PackedObject<RelayObject>(
    { apiVersion, kind, metadata: { name, namespace: 'edge' }, status },
    undefined,
  );
}

const relays = [
  relay('web', 'True'),
  relay('dns', 'False', evil),
  ...Array.from({ length: 300 }, (_, index) => relay(`backend-${String(index)}`, 'True')),
];

/** The health server of an operator that knows some RealmRelays. */
function start(host: string, shown: readonly PackedObject<RelayObject>[] = relays): Promise<HealthServer> {
  const health = {
    instance: 'realm-operator-0',
    isReady: () => true,
    isLeading: () => true,
    watchProblems: () => [],
    relaysOfOthers: () => new Map<string, number>(),
    relays: () => shown,
  };
  return startHealthServer(
    { host, port: 0 },
    operatorRoutes(health, new Registry(), systemClock),
    systemClock,
  );
}

/** The status code of a request to `url`, with another Host header. */
async function status(url: string, host?: string): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  request(url, { headers: host === undefined ? {} : { host } }, (response) => {
    response.resume();
    resolve(response.statusCode);
  })
    .on('error', reject)
    .end();
  return promise;
}

describe('operator, page', () => {
  let server: HealthServer | undefined;
  afterEach(() => server?.close());

  it('is served with a strict policy, to this machine', async () => {
    server = await start('127.0.0.1');
    const response = await fetch(`${server.url}/`);
    expect(response.headers.get('content-security-policy')).to.equal(policy);
    expect(policy)
      .to.match(/^default-src 'none'; /)
      .and.to.not.contain('unsafe');
    expect(await response.text()).to.equal(html);
    expect(Buffer.byteLength(html)).to.be.below(20_000);
    expect(html).to.not.match(/https?:(?!\/\/www\.w3\.org\/2000\/svg)/);
    expect(html).to.not.match(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
  });

  it('reads: other methods are refused', async () => {
    server = await start('127.0.0.1');
    for (const path of ['/', '/relays']) {
      const { status: code } = await fetch(`${server.url}${path}`, { method: 'POST' });
      expect(code).to.equal(405);
    }
  });

  it('is for local names alone, wherever the server listens; probes and metrics are not', async () => {
    server = await start('0.0.0.0');
    const { port } = new URL(server.url);
    const local = `http://127.0.0.1:${port}`;
    for (const path of ['/', '/relays']) {
      expect(await status(local + path), path).to.equal(200);
      expect(await status(local + path, `localhost:${port}`), path).to.equal(200);
      expect(await status(local + path, 'evil.example'), path).to.equal(403);
    }
    expect(await status(`${local}/metrics`, 'operator.example')).to.equal(200);
    expect(await status(`${local}/readyz`, 'operator.example')).to.equal(200);
  });

  it('is not for other Pods and hosts', async function () {
    const own = hostAddresses().find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
    if (own === undefined) this.skip(); // a machine with loopback alone
    server = await start('0.0.0.0');
    const url = `http://${own}:${new URL(server.url).port}`;
    expect(await status(`${url}/relays`, 'localhost')).to.equal(403);
    expect(await status(`${url}/livez`)).to.equal(200);
  });
});

describeWithChromium('operator, page in Chromium', (browser) => {
  let server: HealthServer | undefined;
  afterEach(() => server?.close());

  it('shows all RealmRelays, those with problems first, as text, filtered by the operator', async () => {
    server = await start('127.0.0.1');
    browser().complaints.length = 0;
    await browser().open(`${server.url}/`);
    const first = (await browser().shows('#relays tbody tr', 'edge/dns')).replaceAll(/\s+/g, ' ');
    expect(first).to.contain(`Not ready PodsNotReady: ${evil}`).and.to.contain('1 of 2');
    expect(await browser().text('#state')).to.equal('Leading');
    expect(await browser().text('#tiles')).to.match(/RealmRelays\s+302/);
    expect(await browser().text('#more')).to.contain('102 more match');
    await browser().value(`{
      const input = document.getElementById('filter');
      input.value = 'backend-299';
      input.dispatchEvent(new Event('input'));
    }`);
    await browser().shows('#relays tbody', /^edge\/backend-299\b/);
    await browser().value(`document.getElementById('filter').value = ''`);
    await browser().value(`document.getElementById('only-problems').click()`);
    await browser().shows('#relays tbody', /^edge\/dns\b/);
    expect(await browser().value('document.title')).to.equal('Operator: Leading');
    for (const width of [390, 1280]) {
      await browser().resize(width);
      const overhang = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect(await browser().value(overhang), `at ${String(width)} px`).to.equal(0);
    }
    expect(browser().complaints).to.deep.equal([]);
  });

  it('is accessible, as far as axe can find out', async () => {
    server = await start('127.0.0.1', relays.slice(0, 3));
    await browser().open(`${server.url}/`);
    await browser().shows('#relays tbody tr', 'edge/dns');
    await expectAccessible(browser());
    await server.close();
    await browser().shows('#lost', 'No answer from the operator');
    await expectAccessible(browser());
  });
});
