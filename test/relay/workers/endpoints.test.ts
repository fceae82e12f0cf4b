import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { freePort, freePorts } from '../../support/free-port.ts';
import { endpoint, failure, split } from '../loopback.ts';
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
