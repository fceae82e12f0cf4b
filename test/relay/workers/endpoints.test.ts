import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { freePort, freePorts } from '../../support/free-port.ts';
import { endpoint, failure, split } from '../loopback.ts';
import { hello } from '../transport/hellos.ts';
import { loopback, makeFolder, served, start, web, workersOf, write } from './relay-with-workers.ts';

beforeEach(makeFolder);
afterEach(() => loopback.closeAll());

describe('relay, workers, endpoints of every kind', () => {
  it('serve TLS, and reject a configuration whose certificates cannot be read', async () => {
    const remote = await loopback.echo();
    const relay = await start([endpoint(remote, { listen_transport: 'tls;servername=a.example' })]);
    const { listen, transport } = await web(relay);
    expect(transport).to.equal('[tls][plain]||[plain]');
    for (let i = 0; i < 4; i += 1) {
      const client = connectTls({ ...split(listen), rejectUnauthorized: false });
      loopback.onClose(() => void client.destroy());
      client.write('through TLS');
      expect(String((await once(client, 'data'))[0])).to.equal('through TLS');
    }
    expect((await workersOf(relay)).running.map(({ load }) => load)).to.deep.equal([2, 2]);
    write([endpoint(remote, { listen_transport: 'tls;cert=/no/such/file;key=/no/such/key' })]);
    const refused = await eventually('the refusal', async () => {
      const { configProblem } = await relay.status();
      return configProblem !== '' && configProblem;
    });
    expect(refused).to.include('/no/such/file');
    expect(await web(relay)).to.include({ ready: true, transport: '[tls][plain]||[plain]' });
  });

  it('serve TLS clients by name, of which the main thread has read the first bytes', async () => {
    const listen = `127.0.0.1:${String(await freePort())}`;
    const shared = { listen, network: { accept_proxy: true } };
    const relay = await start([
      endpoint(await loopback.echo(), { ...shared, sni: { hosts: ['a.example'] } }),
      endpoint(await loopback.echo(), {
        ...shared,
        name: 'tls',
        sni: { hosts: ['b.example'] },
        listen_transport: 'tls;servername=b.example',
      }),
    ]);
    const header = 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n';
    const clients = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const client = await loopback.client(listen);
        client.write(header);
        const bytes = hello('a.example').toString('latin1');
        client.write(bytes.slice(0, 50), 'latin1');
        await new Promise((resolve) => setImmediate(resolve));
        client.write(bytes.slice(50), 'latin1');
        let echoed = '';
        while (echoed.length < bytes.length)
          echoed += ((await once(client, 'data')) as [Buffer])[0].toString('latin1');
        expect(echoed).to.equal(bytes);
        return client;
      }),
    );
    expect((await workersOf(relay)).running.map(({ load }) => load)).to.deep.equal([3, 3]);
    for (const client of clients) expect(await loopback.exchange(client, 'and more')).to.equal('and more');
    for (let i = 0; i < 4; i += 1) {
      const raw = await loopback.client(listen);
      raw.write(header);
      const client = connectTls({ socket: raw, servername: 'b.example', rejectUnauthorized: false });
      client.write('through TLS');
      expect(String((await once(client, 'data'))[0])).to.equal('through TLS');
    }
    expect((await web(relay)).connections.total).to.equal(6);
  });

  it('serve each port of a range, and report the errors of every thread', async () => {
    const first = await freePorts(2);
    const [listen, further] = [`127.0.0.1:${String(first)}`, `127.0.0.1:${String(first + 1)}`];
    const relay = await start([
      endpoint(await loopback.greeter('hello'), { listen }),
      { range_of: 'web', listen: further, remote: '127.0.0.1:1' },
    ]);
    for (let i = 0; i < 20; i += 1) {
      expect(await loopback.greeting(listen)).to.equal('hello');
      expect(await failure(loopback.dial(further))).to.equal('ECONNRESET');
    }
    const { recentErrors } = await relay.status();
    expect(
      recentErrors.map(({ endpoint: name, side, reason, count }) => [name, side, reason, count]),
    ).to.deep.equal([['web', 'upstream', 'ECONNREFUSED', 20]]);
  });

  it('look up names, dial through WebSocket, and pass through another endpoint', async () => {
    const remote = await loopback.echo();
    const listen = `127.0.0.1:${String(await freePort())}`;
    const transport = 'ws;host=a;path=/b';
    const relay = await start(
      [
        endpoint(remote.replace('127.0.0.1', 'localhost'), {
          name: 'behind',
          listen,
          listen_transport: transport,
        }),
        endpoint(listen, { remote_transport: transport }),
      ],
      ['--dns-mode', 'ipv4_only'],
    );
    for (let i = 0; i < 4; i += 1) await served((await web(relay)).listen);
    const { endpoints } = await relay.status();
    expect(endpoints.map(({ connections }) => connections.active)).to.deep.equal([4, 4]);
  });

  it('end open connections by the idle limit that a reload sets', async () => {
    const remote = await loopback.echo();
    const relay = await start([endpoint(remote)]);
    const { listen } = await web(relay);
    const clients = [await served(listen), await served(listen)];
    const failures = Promise.all(clients.map(failure));
    write([endpoint(remote, {}, { tcp_idle_timeout: 1 })]);
    expect(await failures).to.deep.equal(['ECONNRESET', 'ECONNRESET']);
  });
});
