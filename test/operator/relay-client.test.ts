import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { fetchRelayReport, relayReport, WrongAnswerError } from '../../src/operator/relay-client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { adminRoutes } from '../../src/relay/admin/routes.ts';
import { type HealthServer, startHealthServer } from '../../src/telemetry/health-server.ts';
import { endpointStatus, relayStatus } from '../support/relay-status.ts';

const hash = '0123456789abcdef'.repeat(4);
const https = endpointStatus({
  name: 'https',
  families: [],
  ready: false,
  message: 'TCP [::]:443: address in use: choose another port',
  sockets: [{ protocol: 'TCP', address: '[::]:443', bound: false, reason: 'AddressInUse' }],
});
const status = relayStatus({
  configHash: hash,
  ready: false,
  configProblem: 'unknown field',
  endpoints: [https, endpointStatus({ name: 'dns' })],
});

describe('fetchRelayReport', () => {
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
        adminRoutes({ status: () => status, refresh: () => Promise.resolve(), revision: 0 }, systemClock),
      );
      const { port } = new URL(relay.url);
      expect(await fetchRelayReport(host, ['dns', 'https'], Number(port))).to.deep.equal({
        configHash: hash,
        configProblem: 'unknown field',
        unready: [
          { name: 'https', message: 'AddressInUse: TCP [::]:443: address in use: choose another port' },
        ],
      });
    });
  }

  it('reads the summary of the largest relay, where nothing is ready', async () => {
    const message = 'x'.repeat(5_000);
    const endpoints = Array.from({ length: 64 }, (_, at) => ({ ...https, name: `e${String(at)}`, message }));
    relay = await startHealthServer(
      { host: '127.0.0.1', port: 0 },
      adminRoutes(
        { status: () => ({ ...status, endpoints }), refresh: () => Promise.resolve(), revision: 0 },
        systemClock,
      ),
    );
    const names = endpoints.map(({ name }) => name);
    const { unready } = await fetchRelayReport('127.0.0.1', names, Number(new URL(relay.url).port));
    expect(unready).to.have.lengthOf(64);
  });

  async function failure(handle: RequestListener): Promise<unknown> {
    other = createServer(handle);
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const { port } = other.address() as AddressInfo;
    return fetchRelayReport('127.0.0.1', ['https'], port).catch((thrown: unknown) => thrown);
  }

  const good = JSON.stringify({ configHash: hash, configProblem: '', unready: [] });
  const wrongAnswers: { why: string; status?: number; body: string; message: RegExp }[] = [
    { why: 'is no JSON', body: '<html>', message: /not JSON/ },
    { why: 'is JSON of something else', body: '{"ok":true}', message: /not the summary/ },
    { why: 'is JSON, nested 100,000 deep', body: `${'['.repeat(1e5)}${']'.repeat(1e5)}`, message: /not the/ },
    { why: 'has a hash that is none', body: good.replace(hash, 'x'.repeat(64)), message: /not the summary/ },
    { why: 'has another status', status: 500, body: good, message: /status 500/ },
    { why: 'is a redirect', status: 302, body: good, message: /status 302/ },
    {
      why: 'has 100,000 endpoints',
      body: good.replace('[]', JSON.stringify(Array(100_000).fill({ name: 'https', message: 'm' }))),
      message: /larger than 262144 bytes/,
    },
  ];
  for (const { why, status: statusCode = 200, body, message } of wrongAnswers) {
    it(`rejects an answer that ${why}`, async () => {
      const error = await failure((_request, response) => {
        response.writeHead(statusCode, { location: '/summary' }).end(body);
      });
      expect(error).to.be.instanceOf(WrongAnswerError);
      expect((error as Error).message).to.match(message);
    });
  }

  it('closes the connection of an answer that goes on after 256 KiB', async () => {
    let sentBytes = 0;
    const closed = Promise.withResolvers<undefined>();
    const chunk = '"0123456789",'.repeat(1_000);
    const send = (response: ServerResponse): void => {
      while (!response.destroyed && sentBytes < 40e6 && response.write(chunk)) sentBytes += chunk.length;
    };
    const error = await failure((_request, response) => {
      response.on('close', closed.resolve);
      response.on('drain', () => {
        send(response);
      });
      response.write('{"configHash":[');
      send(response);
    });
    expect(error).to.be.instanceOf(WrongAnswerError);
    await closed.promise;
    expect(sentBytes).to.be.below(20e6); // what the buffers of both sides take
  });

  const silent: { why: string; handle: RequestListener }[] = [
    { why: 'never comes', handle: () => undefined },
    {
      why: 'drips',
      handle: (_request, response) => {
        const timer = setInterval(() => response.write(' '), 20);
        response.on('close', () => {
          clearInterval(timer);
        });
      },
    },
  ];
  for (const { why, handle } of silent) {
    it(`gives up after a second where the answer ${why}`, async () => {
      const error = await failure(handle);
      expect(error).to.be.instanceOf(Error).and.not.instanceOf(WrongAnswerError);
    });
  }
});

describe('relayReport', () => {
  const answer = (more: object): unknown => ({ configHash: hash, configProblem: '', unready: [], ...more });

  it('takes what a relay of another version does not say as nothing to complain of', () => {
    expect(relayReport({ configHash: hash, unready: [{ name: 'https' }] }, ['https'])).to.deep.equal({
      configHash: hash,
      configProblem: '',
      unready: [{ name: 'https', message: '' }],
    });
  });

  it('has the endpoints of the RealmRelay, each once, and no others', () => {
    const unready = ['https', 'kube-dns', 'https', 'constructor', '__proto__'].map((name) => ({
      name,
      message: 'm',
    }));
    const { unready: kept } = relayReport(answer({ unready }), ['dns', 'https']);
    expect(kept).to.deep.equal([{ name: 'https', message: 'm' }]);
  });

  it('has the certificates of the endpoints of the RealmRelay, each once, and no others', () => {
    const certificates = [
      { names: ['a', 'other', 7], message: 'm', served: true },
      { names: ['b', 'a'], message: 'n' },
      { names: 'b' },
      7,
    ];
    expect(relayReport(answer({ certificates }), ['a', 'b', 'c']).certificates).to.deep.equal([
      { name: 'a', message: 'n', served: false },
      { name: 'b', message: 'n', served: false },
    ]);
    expect(relayReport(answer({ certificates: [] }), ['a'])).not.to.have.property('certificates');
  });

  it('has one short line for each message, whatever the Pod sent', () => {
    const hostile = `a\u001b[31m\r\nb\u202egnp\u2069${'𝄞'.repeat(1_000)}`;
    const { configProblem, unready } = relayReport(
      answer({
        configProblem: hostile,
        unready: [{ name: 'https', message: hostile, reasons: [hostile, 7] }],
      }),
      ['https'],
    );
    expect(configProblem).to.equal(`a [31m bgnp${'𝄞'.repeat(501)}…`);
    expect(Array.from(unready[0]?.message ?? '')).to.have.lengthOf(513);
  });
});
