import { expect } from 'chai';
import {
  HealthServerError,
  json,
  startHealthServer,
  text,
  type HealthServer,
} from '../../src/telemetry/health-server.ts';

const servers: HealthServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(host = '127.0.0.1'): Promise<HealthServer> {
  const server = await startHealthServer(
    { host, port: 0 },
    {
      '/livez': () => text(200, 'ok\n'),
      '/status': () => Promise.resolve(json(200, { ready: true })),
      '/broken': () => {
        throw new Error('secret detail');
      },
    },
  );
  servers.push(server);
  return server;
}

describe('health server', () => {
  const cases = [
    { path: '/livez', method: 'GET', status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' },
    { path: '/livez?verbose=1', method: 'GET', status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' },
    { path: '/livez', method: 'HEAD', status: 200, type: 'text/plain; charset=utf-8', body: '' },
    {
      path: '/status',
      method: 'GET',
      status: 200,
      type: 'application/json',
      body: '{\n  "ready": true\n}\n',
    },
    {
      path: '/livez',
      method: 'POST',
      status: 405,
      type: 'text/plain; charset=utf-8',
      body: 'method not allowed, use GET\n',
    },
    {
      path: '/broken',
      method: 'GET',
      status: 500,
      type: 'text/plain; charset=utf-8',
      body: 'internal error\n',
    },
    {
      path: '/toString',
      method: 'GET',
      status: 404,
      type: 'text/plain; charset=utf-8',
      body: 'not found; available: /livez, /status, /broken\n',
    },
  ];
  for (const { path, method, status, type, body } of cases) {
    it(`${method} ${path} is ${String(status)}`, async () => {
      const response = await fetch(`${(await start()).url}${path}`, { method });
      expect([response.status, response.headers.get('content-type'), await response.text()]).to.deep.equal([
        status,
        type,
        body,
      ]);
    });
  }

  it('answers which methods there are', async () => {
    const response = await fetch(`${(await start()).url}/livez`, { method: 'DELETE' });
    expect(response.headers.get('allow')).to.equal('GET, HEAD');
  });

  it('listens on IPv6', async () => {
    const { url } = await start('::1');
    expect(url).to.match(/^http:\/\/\[::1\]:\d+$/);
    expect((await fetch(`${url}/livez`)).status).to.equal(200);
  });

  it('reports where it cannot listen, and why', async () => {
    const port = Number(new URL((await start()).url).port);
    const error = await startHealthServer({ host: '127.0.0.1', port }, {}).catch((reason: unknown) => reason);
    expect(error)
      .to.be.instanceOf(HealthServerError)
      .with.property('message', `the admin server cannot listen on 127.0.0.1 port ${String(port)}`);
    expect((error as Error).cause).to.have.property('code', 'EADDRINUSE');
  });

  it('closes while a client holds a connection open', async () => {
    const server = await start();
    await (await fetch(`${server.url}/livez`)).text(); // fetch keeps its connection
    await server.close();
    servers.length = 0;
  });
});
