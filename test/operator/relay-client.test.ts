import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { fetchRelayReport, relayReport } from '../../src/operator/relay-client.ts';
import { adminRoutes } from '../../src/relay/admin/routes.ts';
import type { EndpointStatus, RelayStatus } from '../../src/relay/admin/status.ts';
import { type HealthServer, startHealthServer } from '../../src/telemetry/health-server.ts';

const traffic = { active: 0, total: 0 };
const https: EndpointStatus = {
  name: 'https',
  listen: '[::]:443',
  families: [],
  protocols: ['TCP'],
  ready: false,
  message: 'TCP [::]:443: address in use: choose another port',
  sockets: [{ protocol: 'TCP', address: '[::]:443', bound: false, reason: 'AddressInUse' }],
  remotes: [],
  balance: 'roundrobin',
  transport: '',
  transportProblem: '',
  health: { TCP: [], UDP: [] },
  waiting: 0,
  refused: { connections: 0, associations: 0 },
  notAllowed: { connections: 0, associations: 0 },
  tooManyOfClient: { connections: 0, associations: 0 },
  evicted: 0,
  connections: traffic as unknown as EndpointStatus['connections'],
  associations: traffic as unknown as EndpointStatus['associations'],
};
const status: RelayStatus = {
  configHash: 'abc',
  ready: false,
  draining: false,
  configProblem: 'unknown field',
  descriptorsShort: 0,
  endpoints: [https, { ...https, name: 'dns', ready: true, message: '', sockets: [] }],
  recentErrors: [],
};

describe('askRelay', () => {
  let relay: HealthServer | undefined;
  let other: Server | undefined;

  afterEach(async () => {
    await relay?.close();
    other?.closeAllConnections();
    other?.close();
    [relay, other] = [undefined, undefined];
  });

  for (const host of ['127.0.0.1', '::1']) {
    it(`hears at ${host} what the relay program runs and does not serve, with reason and remedy`, async () => {
      relay = await startHealthServer(
        { host, port: 0 },
        adminRoutes(() => status),
      );
      expect(await fetchRelayReport(host, Number(new URL(relay.url).port))).to.deep.equal({
        configHash: 'abc',
        configProblem: 'unknown field',
        unready: [
          { name: 'https', message: 'AddressInUse: TCP [::]:443: address in use: choose another port' },
        ],
      });
    });
  }

  const badServers: { why: string; body: string | undefined }[] = [
    { why: 'is no JSON', body: '<html>' },
    { why: 'is JSON of something else', body: '{"ok":true}' },
    { why: 'never comes', body: undefined },
  ];
  for (const { why, body } of badServers) {
    it(`rejects where the answer ${why}`, async () => {
      other = createServer((_request, response) => {
        if (body !== undefined) response.end(body);
      });
      await once(other.listen(0, '127.0.0.1'), 'listening');
      const { port } = other.address() as AddressInfo;
      const error: unknown = await fetchRelayReport('127.0.0.1', port).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(Error);
    });
  }
});

describe('relayReport', () => {
  it('takes what a relay of another version does not say as nothing to complain of', () => {
    expect(relayReport({ configHash: 'abc', endpoints: [{ ready: false }] })).to.deep.equal({
      configHash: 'abc',
      configProblem: '',
      unready: [{ name: '', message: '' }],
    });
  });
});
