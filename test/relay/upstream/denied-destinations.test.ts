import { expect } from 'chai';
import { relayConfig } from '../../../src/config/parsed-config.ts';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import type { RelayConfig } from '../../../src/config/relay-config.ts';
import { permitted } from '../../../src/relay/upstream/denied-destinations.ts';
import { eventually } from '../../support/eventually.ts';
import { endpoint, failure, listenOf, Loopback, received, split, statusOf } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** The endpoint, which may not dial `denied`. */
function denying(denied: readonly string[], only: RealmEndpoint): RelayConfig {
  return relayConfig({ denied_destinations: denied, endpoints: [only] }, 'test').config;
}

const names: Readonly<Record<string, readonly string[]>> = {
  'loopback.example': ['127.0.0.1'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'rebound.example': ['169.254.169.254', '127.0.0.1'],
};
const lookup = (host: string): Promise<readonly string[]> => Promise.resolve(names[host] ?? []);

describe('denied destinations, of addresses after resolution', () => {
  const cases = [
    { hosts: ['192.0.2.1'], denied: ['10.0.0.0/8'], left: ['192.0.2.1'], why: 'another range' },
    { hosts: ['10.1.2.3', '192.0.2.1'], denied: ['10.0.0.0/8'], left: ['192.0.2.1'], why: 'one of two' },
    { hosts: ['10.1.2.3'], denied: ['10.0.0.0/8'], left: [], why: 'all of them' },
    { hosts: ['::ffff:10.1.2.3'], denied: ['10.0.0.0/8'], left: [], why: 'IPv4-mapped' },
    { hosts: ['::ffff:a01:203'], denied: ['10.0.0.0/8'], left: [], why: 'IPv4-mapped, in hexadecimal' },
    { hosts: ['64:ff9b::a9fe:a9fe'], denied: ['169.254.0.0/16'], left: [], why: 'NAT64' },
    { hosts: ['64:ff9b:0:0::10.1.2.3'], denied: ['10.0.0.0/8'], left: [], why: 'NAT64, in dotted decimal' },
    {
      hosts: ['64:ff9b::808:808'],
      denied: ['10.0.0.0/8'],
      left: ['64:ff9b::808:808'],
      why: 'NAT64 of another range',
    },
    { hosts: ['64:ff9b::808:808'], denied: ['64:ff9b::/96'], left: [], why: 'NAT64, as written' },
    { hosts: ['2002:7f00:1::1'], denied: ['127.0.0.0/8'], left: [], why: '6to4' },
    {
      hosts: ['2002:808:808::1'],
      denied: ['127.0.0.0/8'],
      left: ['2002:808:808::1'],
      why: '6to4 of another range',
    },
    {
      hosts: ['64:ff9b:1::a9fe:a9fe'],
      denied: ['169.254.0.0/16'],
      left: ['64:ff9b:1::a9fe:a9fe'],
      why: 'another prefix',
    },
    { hosts: ['fe80::1%lo'], denied: ['fe80::/10'], left: [], why: 'with a zone' },
    { hosts: ['0.0.0.0'], denied: ['0.0.0.0/8'], left: [], why: 'unspecified' },
    { hosts: ['::'], denied: ['::/128'], left: [], why: 'unspecified' },
    { hosts: ['::1'], denied: ['127.0.0.0/8'], left: ['::1'], why: 'the other family' },
    { hosts: ['10.1.2.3'], denied: undefined, left: ['10.1.2.3'], why: 'nothing is denied' },
  ];
  for (const { hosts, denied, left, why } of cases) {
    it(`leaves [${left.join(', ')}] of [${hosts.join(', ')}] without ${String(denied)}: ${why}`, () => {
      const twice = [1, 2].map(() => {
        try {
          return permitted(hosts, denied);
        } catch (error) {
          expect(error).to.have.property('code', 'REALM_DESTINATION_DENIED');
          return [];
        }
      });
      expect(twice).to.deep.equal([left, left]);
    });
  }

  it('keeps a verdict for each of more addresses than it remembers', () => {
    const denied = ['10.0.0.0/8'];
    const hosts = Array.from(
      { length: 5000 },
      (_, index) => `${String(10 + (index % 2))}.0.${String(index >> 8)}.${String(index % 256)}`,
    );
    expect(permitted(hosts, denied)).to.have.length(2500);
    expect(permitted(hosts, denied)).to.have.length(2500);
  });
});

describe('relay, denied destinations', () => {
  for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', 'loopback.example', 'mapped.example']) {
    it(`resets a TCP client of ${host}, counts the dial as failed, and names the remedy`, async () => {
      const { port } = split(await loopback.greeter('hi'));
      const remote = `${host}:${String(port)}`;
      const { relay } = await loopback.relay(denying(['127.0.0.0/8'], endpoint(remote)), { lookup });
      expect(await failure(loopback.dial(listenOf(relay)))).to.equal('ECONNRESET');
      await eventually('the end', () => statusOf(relay).connections.failed.upstream === 1);
      expect(statusOf(relay).health.TCP[0]).to.deep.include({ dials: 1, failed: 1, reason: 'DialFailed' });
      const [latest] = relay
        .status()
        .recentErrors.filter(({ reason }) => reason === 'REALM_DESTINATION_DENIED');
      expect(latest?.message).to.contain('127.0.0.1: in denied_destinations');
      expect(latest?.remedy).to.contain('change the remote');
    });
  }

  it('dials the next address of a name, and the next remote', async () => {
    const allowed = await loopback.greeter('hi');
    const { port } = split(allowed);
    const byName = endpoint(`rebound.example:${String(port)}`);
    const { relay } = await loopback.relay(denying(['169.254.0.0/16'], byName), { lookup });
    expect(await received(await loopback.client(listenOf(relay)))).to.equal('hi');
    const second = endpoint(`169.254.169.254:80`, { extra_remotes: [allowed] });
    const { relay: other } = await loopback.relay(denying(['169.254.0.0/16'], second), { lookup });
    expect(await received(await loopback.client(listenOf(other)))).to.equal('hi');
    expect(statusOf(other).health.TCP.map(({ failed }) => failed)).to.deep.equal([1, 0]);
  });

  it('sends no datagram there, and tries the next remote', async () => {
    const { promise: leaked, resolve } = Promise.withResolvers<string>();
    const denied = await loopback.udp('127.0.0.1', () => {
      resolve('leaked');
    });
    const echo = await loopback.udpEcho('', '127.0.0.2');
    const only = endpoint(
      `loopback.example:${String(denied.address().port)}`,
      { extra_remotes: [echo] },
      { no_tcp: true, use_udp: true },
    );
    const { relay } = await loopback.relay(denying(['127.0.0.1'], only), { lookup });
    const { host, port } = split(listenOf(relay));
    const { promise: answered, resolve: answer } = Promise.withResolvers<string>();
    const client = await loopback.udp('127.0.0.1', (datagram) => {
      answer(datagram.toString());
    });
    client.send('x', port, host);
    expect(await Promise.race([answered, leaked])).to.equal('x');
    expect(statusOf(relay).health.UDP[0]).to.deep.include({ dials: 1, failed: 1 });
  });

  it('does not connect there for a health check, and checks again once that is allowed', async () => {
    let checks = 0;
    const remote = await loopback.tcpRemote(() => {
      checks += 1;
    });
    const checked = endpoint(remote, {
      health_check: { interval: 1, unhealthy_threshold: 1, healthy_threshold: 1 },
    });
    const { relay } = await loopback.relay(denying(['127.0.0.1'], checked));
    await eventually('the failed check', () => statusOf(relay).health.TCP[0]?.reason === 'CheckFailed');
    expect(checks).to.equal(0);
    await relay.reload(denying(['192.0.2.0/24'], checked));
    await eventually('a check', () => statusOf(relay).health.TCP[0]?.healthy);
    expect(checks).to.be.above(0);
  });

  it('denies nothing without the key, and reports a range that is none', () => {
    expect(
      relayConfig({ endpoints: [endpoint('127.0.0.1:1')] }, 'test').config.endpoints[0],
    ).to.not.have.property('deniedDestinations');
    expect(() => denying(['10.0.0.0/33'], endpoint('127.0.0.1:1'))).to.throw(
      'denied_destinations[0]: is not a range of IP addresses, got "10.0.0.0/33"',
    );
  });
});
