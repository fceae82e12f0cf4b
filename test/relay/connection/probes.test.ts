import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import { expect } from 'chai';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import { relayRegistry } from '../../../src/relay/admin/metrics.ts';
import { proxyHeader } from '../../../src/relay/proxy-protocol/header.ts';
import { eventually } from '../../support/eventually.ts';
import { config, endpoint, listenOf, Loopback, statusOf, times, type TestRelay } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const accepting = { network: { accept_proxy: true } };
const tls = { listen_transport: 'tls;servername=relay.example' };
const ws = { listen_transport: 'ws;host=relay.example;path=/' };
const wss = { listen_transport: `${ws.listen_transport};${tls.listen_transport}` };
const addresses = {
  source: { address: '192.0.2.1', port: 1 },
  destination: { address: '192.0.2.2', port: 2 },
};

type Prepare = (client: Socket) => Promise<Socket>;

async function handshake(client: Socket): Promise<Socket> {
  const secure = connect({ socket: client, rejectUnauthorized: false });
  secure.on('error', () => undefined);
  await once(secure, 'secureConnect');
  return secure;
}

function sends(bytes: string | Buffer): Prepare {
  return async (client) => {
    await new Promise<void>((resolve) => {
      client.write(bytes, () => {
        resolve();
      });
    });
    return client;
  };
}

async function relayWith(fields: Partial<RealmEndpoint>): Promise<TestRelay> {
  return loopback.relay(config(endpoint(await loopback.echo(), fields)));
}

const closing = {
  'closes it': (socket: Socket) => socket.end(),
  'resets it': (socket: Socket) => socket.resetAndDestroy(),
};

describe('relay, a check of a load balancer: a client that sends nothing', () => {
  const kinds: readonly (readonly [kind: string, fields: Partial<RealmEndpoint>, prepare?: Prepare])[] = [
    ['with PROXY headers', accepting],
    ['with PROXY headers and TLS', { ...accepting, ...tls }],
    [
      'with PROXY headers and TLS, after the header',
      { ...accepting, ...tls },
      sends(proxyHeader(2, addresses)),
    ],
    ['with TLS', tls],
    ['with WebSocket', ws],
    ['with WebSocket in TLS', wss],
  ];
  for (const [kind, fields, prepare] of kinds) {
    for (const [way, close] of Object.entries(closing)) {
      it(`an endpoint ${kind}: a client that ${way} is counted apart, and not logged`, async () => {
        const test = await relayWith(fields);
        const client = await loopback.client(listenOf(test.relay));
        close((await prepare?.(client)) ?? client);
        await expectProbe(test);
      });
    }
  }

  it('an endpoint with WebSocket in TLS: neither is a client that closes it after the TLS handshake', async () => {
    const test = await relayWith(wss);
    (await handshake(await loopback.client(listenOf(test.relay)))).end();
    await expectProbe(test);
  });

  it('an endpoint of plain TCP: neither is a client that resets the connection', async () => {
    const test = await relayWith({});
    const client = await loopback.client(listenOf(test.relay));
    await eventually('the dial', () => statusOf(test.relay).health.TCP[0]?.dials === 1);
    client.resetAndDestroy();
    await expectProbe(test);
  });

  const failing: readonly (readonly [kind: string, fields: Partial<RealmEndpoint>, sent: string])[] = [
    ['a part of a PROXY header', accepting, 'PROXY TCP4'],
    ['a part of a TLS handshake', tls, '\x16\x03\x01'],
    ['a part of a WebSocket request', ws, 'GET /'],
  ];
  for (const [what, fields, sent] of failing) {
    for (const [way, close] of Object.entries(closing)) {
      it(`is a failure after ${what}, if the client ${way}`, async () => {
        const { relay, lines } = await relayWith(fields);
        const client = await loopback.client(listenOf(relay));
        await sends(sent)(client);
        close(client);
        await eventually('the failure', () => statusOf(relay).connections.failed.client === 1);
        expect(statusOf(relay).probes).to.equal(0);
        expect(times(lines, 'connection failed')).to.equal(1);
      });
    }
  }

  async function expectProbe({ relay, lines }: TestRelay): Promise<void> {
    await eventually('the probe', () => statusOf(relay).probes === 1, { intervalMs: 2 });
    const { connections } = statusOf(relay);
    expect(connections).to.deep.include({
      total: 1,
      active: 0,
      failed: { client: 0, upstream: 0, relay: 0 },
    });
    expect(relay.status().recentErrors).to.deep.equal([]);
    expect(lines.filter(({ level }) => level === 'warn')).to.deep.equal([]);
    expect(times(lines, 'connection closed without data')).to.equal(1); // at level debug
    const metrics = await relayRegistry(() => relay.status()).metrics();
    expect(metrics).to.contain('realm_relay_connections_probes_total{endpoint="web"} 1\n');
  }
});
