import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { expect } from 'chai';
import { openFilesLimit } from '../../src/lib/open-files.ts';
import { maxAdminConnections } from '../../src/telemetry/connection-slots.ts';
import {
  startHealthServer,
  text,
  type HealthServer,
  type Routes,
} from '../../src/telemetry/health-server.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { eventually } from '../support/eventually.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const clock = new FakeClock();

async function start(routes: Routes = {}): Promise<HealthServer> {
  const server = await startHealthServer(
    { host: '127.0.0.1', port: 0 },
    { '/livez': () => text(200, 'ok\n'), '/metrics': () => text(200, 'a 1\n'), ...routes },
    clock,
  );
  closers.push(() => server.close());
  return server;
}

/** A connected client, which sends `words`. */
async function client(server: HealthServer, words = '', from = '127.0.0.1'): Promise<Socket> {
  const { hostname: host, port } = new URL(server.url);
  const socket = connect({ host, port: Number(port), localAddress: from });
  socket.on('error', () => undefined);
  closers.push(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(words);
  return socket;
}

/** Resolves when the server has closed the connection. */
async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await once(socket, 'close');
}

const request = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n';

/** A request in a connection of its own, by which the server has accepted every earlier one. */
async function get(server: HealthServer, path = '/livez'): Promise<number> {
  const response = await fetch(`${server.url}${path}`, { headers: { connection: 'close' } });
  await response.text();
  return response.status;
}

describe('admin connections', () => {
  const silent = [
    { words: '', why: 'sends nothing' },
    { words: 'GET /livez HTTP/1.1\r\nHost: local', why: 'stops within the headers' },
    {
      words: 'POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1',
      why: 'stops within the body',
    },
    { words: request, why: 'keeps the connection after a response' },
  ];
  for (const { words, why } of silent) {
    it(`closes a client that ${why}, after 5 s`, async () => {
      const server = await start();
      const slow = await client(server, words);
      if (words === request) await once(slow, 'data');
      expect(await get(server)).to.equal(200);
      clock.advance(5000);
      await closed(slow);
    });
  }

  it('closes a client whose headers come byte by byte, 5 s after it connected', async () => {
    const server = await start();
    const slow = await client(server);
    for (const letter of 'GET ') {
      slow.write(letter);
      expect(await get(server)).to.equal(200);
      clock.advance(1250);
    }
    await closed(slow);
  });

  it('closes a client that does not read its response, after 10 s', async () => {
    const body = 'x'.repeat(16 * 1024 * 1024);
    const server = await start({ '/metrics': () => text(200, body) });
    const slow = await client(server, request);
    slow.pause();
    await eventually('the request', async () => {
      expect(await get(server)).to.equal(200);
      return slow.bytesWritten > 0;
    });
    clock.advance(10_000);
    expect((await textOf(slow).catch(() => '')).length).to.be.below(body.length);
  });

  it('closes a connection after 100 requests', async () => {
    const server = await start();
    const many = await client(server, request.replace('metrics', 'livez').repeat(150));
    const responses = (await textOf(many)).split('HTTP/1.1 ').slice(1);
    expect(responses.filter((response) => response.startsWith('200'))).to.have.length(100);
  });

  it('closes a connection with more than 8 KiB of headers', async () => {
    const server = await start();
    const large = await client(
      server,
      `GET /livez HTTP/1.1\r\nHost: localhost\r\nCookie: ${'x'.repeat(9000)}\r\n\r\n`,
    );
    expect(await textOf(large)).to.match(/^HTTP\/1.1 431 /);
  });

  it('holds 32 connections; a client that opens 300 loses its own, not those of others', async () => {
    const server = await start();
    const other = await client(server, '', '127.0.0.2');
    const flood: Socket[] = [];
    for (let index = 0; index < 300; index += 1) flood.push(await client(server));
    flood.forEach((socket) => socket.resume());
    await eventually(
      'the limit',
      () => flood.filter(({ closed }) => !closed).length < maxAdminConnections(openFilesLimit()),
    );
    other.write(request);
    expect(String((await once(other, 'data'))[0])).to.match(/^HTTP\/1.1 200 /);
    expect(await get(server)).to.equal(200);
  });

  it('serves probes while all other requests wait, and refuses more of those', async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const server = await start({
      '/metrics': async () => {
        await promise;
        return text(200, 'a 1\n');
      },
    });
    const clients = await Promise.all(Array.from({ length: 24 }, () => client(server, request)));
    await eventually('the limit', async () => (await get(server, '/nowhere')) === 503);
    expect(await get(server)).to.equal(200);
    resolve(undefined);
    for (const each of clients) expect(String((await once(each, 'data'))[0])).to.match(/^HTTP\/1.1 200 /);
    await eventually('room', async () => (await get(server, '/metrics')) === 200);
  });
});

describe('admin server on loopback, Host header', () => {
  const cases = [
    { host: 'localhost', status: 200, why: 'the name of this machine' },
    { host: 'LOCALHOST:9465', status: 200, why: 'with port, in capitals' },
    { host: '127.0.0.1:80', status: 200, why: 'IPv4' },
    { host: '[::1]:9465', status: 200, why: 'IPv6' },
    { host: 'evil.example:9465', status: 403, why: 'a name that an attacker resolves to 127.0.0.1' },
    { host: 'localhost.evil.example', status: 403, why: 'begins alike' },
    { host: '127.0.0.1.evil.example', status: 403, why: 'begins alike' },
    { host: '192.0.2.1', status: 403, why: 'another address' },
    { host: '', status: 403, why: 'empty' },
  ];
  for (const { host, status, why } of cases) {
    it(`${String(status)} for "${host}": ${why}`, async () => {
      const server = await start();
      const raw = await client(server, `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      const answer = await textOf(raw);
      expect(answer).to.match(new RegExp(`^HTTP/1.1 ${String(status)} `));
      if (status === 403) expect(answer).to.contain('use localhost, 127.0.0.1 or [::1] as host');
    });
  }

  const hostField = 'Host: localhost\r\n';
  const targets = [
    { target: 'http://localhost/metrics', status: 200, why: 'the absolute form' },
    { target: 'HTTP://[::1]:80/metrics?x=1', status: 200, why: 'with a port and a query' },
    {
      target: 'http://localhost/metrics',
      fields: 'Host: evil.example\r\n',
      status: 200,
      why: 'counts for Host',
    },
    { target: 'http://evil.example/metrics', status: 403, why: 'another host, whatever Host names' },
    { target: 'http://localhost', status: 404, why: 'the root' },
    { target: 'http:///metrics', status: 400, why: 'no host' },
    { target: 'http://user@localhost/metrics', status: 400, why: 'a user, which no target has' },
    { target: '/metrics', fields: `${hostField}Host: evil.example\r\n`, status: 400, why: 'two hosts' },
    {
      target: '/metrics',
      fields: `${hostField}host: localhost\r\n`,
      status: 400,
      why: 'the same host twice',
    },
    {
      target: 'http://localhost/metrics',
      fields: `${hostField}${hostField}`,
      status: 400,
      why: 'two hosts and the absolute form',
    },
    ...['[::1', 'localhost, evil.example', 'a b', 'localhost:x', 'user@localhost', 'localhost/'].map(
      (host) => ({
        target: '/metrics',
        fields: `Host: ${host}\r\n`,
        status: 400,
        why: 'no host, but text',
      }),
    ),
    { target: '/metrics', fields: '', status: 400, why: 'none, with HTTP/1.1' },
  ];
  for (const { target, fields = hostField, status, why } of targets) {
    it(`${String(status)} for ${target} with ${JSON.stringify(fields)}: ${why}`, async () => {
      const raw = await client(await start(), `GET ${target} HTTP/1.1\r\n${fields}Connection: close\r\n\r\n`);
      expect(await textOf(raw)).to.match(new RegExp(`^HTTP/1.1 ${String(status)} `));
    });
  }

  it('may be absent with HTTP/1.0, and the connection ends after a request that is not valid', async () => {
    const server = await start();
    expect(await textOf(await client(server, 'GET /metrics HTTP/1.0\r\n\r\n'))).to.match(/^HTTP\/1.1 200 /);
    const twice = await client(server, `GET /metrics HTTP/1.1\r\n${hostField}${hostField}\r\n${request}`);
    expect((await textOf(twice)).match(/HTTP\/1.1 [0-9]+/g)).to.deep.equal(['HTTP/1.1 400']);
  });

  it('is not checked on other addresses, which have names of their own', async () => {
    const server = await startHealthServer(
      { host: '0.0.0.0', port: 0 },
      { '/livez': () => text(200, 'ok\n') },
    );
    closers.push(() => server.close());
    const raw = await client(
      { ...server, url: server.url.replace('0.0.0.0', '127.0.0.1') },
      'GET /livez HTTP/1.1\r\nHost: relay.example\r\nConnection: close\r\n\r\n',
    );
    expect(await textOf(raw)).to.match(/^HTTP\/1.1 200 /);
  });
});
