import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import { NameResolver } from '../../../src/relay/dns/resolver.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  config,
  endpoint,
  keptLog,
  listenOf,
  Loopback,
  received,
  split,
  statusOf,
  type TestRelay,
} from '../loopback.ts';
import { DnsServer } from './dns-server.ts';
import { settingsIn } from './settings.ts';

const loopback = new Loopback();

afterEach(() => loopback.closeAll());

type Fixture = TestRelay & {
  readonly server: DnsServer;
  /** That of the lookups; the relay has the clock of the machine. */
  readonly clock: FakeClock;
  /** Of the remote, which greets with `hi`. */
  readonly port: string;
};

/** A relay whose names are looked up at the name server of the test; `listed.test` is in its hosts file. */
async function relayWith(endpoints: (port: string) => readonly RealmEndpoint[]): Promise<Fixture> {
  const server = new DnsServer({ 'good.test': { A: ['127.0.0.1'] } });
  const { port: dnsPort } = split(await server.listen(loopback));
  const texts = { hosts: '127.0.0.1 listed.test\n', resolvConf: 'nameserver 127.0.0.1\n' };
  const settings = settingsIn(loopback.folder(), texts, dnsPort);
  const clock = new FakeClock();
  const names = new NameResolver({ clock, log: keptLog().log, settings });
  const port = String(split(await loopback.greeter('hi')).port);
  for (const { remote = '' } of endpoints(port)) {
    const name = remote.slice(0, remote.lastIndexOf(':'));
    if (name.startsWith('dead')) server.zone[name] = 'silent';
    if (name.startsWith('held')) server.zone[name] = 'held';
  }
  const relay = await loopback.relay(config(...endpoints(port)), { lookup: names.lookup });
  return { ...relay, server, clock, port };
}

const good = (port: string): readonly RealmEndpoint[] => [
  endpoint(`good.test:${port}`, { name: 'good' }),
  endpoint(`listed.test:${port}`, { name: 'listed' }),
];
const dead = (count: number, fields: Partial<RealmEndpoint> = {}): readonly RealmEndpoint[] =>
  Array.from({ length: count }, (_, index) => {
    const name = `dead${String(index)}`;
    return endpoint(`${name}.test:1`, { name, ...fields }, { tcp_timeout: 0 });
  });

describe('relayed names', () => {
  it('are served while the lookups of 200 others are never answered, and files are read', async () => {
    const { relay, server, clock } = await relayWith((port) => [...dead(200), ...good(port)]);
    for (const { name } of dead(200)) {
      loopback.dial(listenOf(relay, name));
      loopback.dial(listenOf(relay, name));
    }
    await eventually('the questions', () => {
      clock.advance(10);
      return server.names.length === 200;
    });
    clock.advance(50);
    for (const name of ['good', 'listed'])
      expect(await loopback.greeting(listenOf(relay, name))).to.equal('hi');
    expect(await readFile(import.meta.filename, 'utf8')).to.contain('relayed names');
  });

  it('are served while health checks wait for others', async () => {
    const health_check = { interval: 10, timeout: 60 };
    const { relay, server } = await relayWith((port) => [...dead(20, { health_check }), ...good(port)]);
    await eventually('the questions', () => server.names.length === 20);
    for (const name of ['good', 'listed'])
      expect(await loopback.greeting(listenOf(relay, name))).to.equal('hi');
  });

  it('are looked up once for 250 clients and the health check', async () => {
    const { relay, server } = await relayWith((port) => [
      endpoint(`held.test:${port}`, { health_check: { interval: 10, timeout: 60 } }, { tcp_timeout: 0 }),
    ]);
    const clients = await Promise.all(Array.from({ length: 250 }, () => loopback.client(listenOf(relay))));
    const greetings = clients.map((client) => received(client));
    await eventually('the clients', () => statusOf(relay).connections.active === 250);
    server.release('held.test', { A: ['127.0.0.1'] });
    expect(new Set(await Promise.all(greetings))).to.deep.equal(new Set(['hi']));
    expect(server.questions.toSorted()).to.deep.equal(['udp A held.test', 'udp AAAA held.test']);
  });

  it('are looked up once for TCP and UDP', async () => {
    const { relay, server } = await relayWith((port) => [
      endpoint(`held.test:${port}`, { name: 'tcp' }, { tcp_timeout: 0 }),
      endpoint(`held.test:${port}`, { name: 'udp' }, { no_tcp: true, use_udp: true }),
    ]);
    const greeting = received(await loopback.client(listenOf(relay, 'tcp')));
    const { host, port } = split(listenOf(relay, 'udp'));
    (await loopback.udp()).send('a', port, host);
    await eventually('the association', () => statusOf(relay, 'udp').associations.active === 1);
    await eventually('the connection', () => statusOf(relay, 'tcp').connections.active === 1);
    server.release('held.test', { A: ['127.0.0.1'] });
    expect(await greeting).to.equal('hi');
    expect(server.questions).to.have.length(2);
  });

  it('are not looked up any more when their last client has left', async () => {
    const { relay, server, clock } = await relayWith(() => dead(1));
    const clients = await Promise.all([1, 2].map(() => loopback.client(listenOf(relay, 'dead0'))));
    await eventually('the questions', () => server.questions.length === 2);
    for (const client of clients) client.resetAndDestroy();
    await eventually('no lookup', () => clock.timers === 0);
    expect(server.questions).to.have.length(2);
  });

  it('are not looked up any more when the endpoint is removed', async () => {
    const health_check = { interval: 10, timeout: 60 };
    const { relay, server, clock } = await relayWith(() => dead(2, { health_check }));
    await eventually('the questions', () => server.questions.length === 4);
    await relay.reload(config());
    await eventually('no lookup', () => clock.timers === 0);
  });
});
