import { expect } from 'chai';
import fc from 'fast-check';
import { interleaved } from '../../../src/relay/upstream/happy-eyeballs.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  Loopback,
  loggedLine,
  noIdleLooks,
  received,
  statusOf,
} from '../loopback.ts';
import type { TestRelay } from '../loopback.ts';
import { silentPort } from './silent-port.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('the addresses of a name', () => {
  const cases = [
    { hosts: [], order: [], why: 'none' },
    { hosts: ['::1', '::2', '10.0.0.1'], order: ['::1', '10.0.0.1', '::2'], why: 'IPv6 is first' },
    { hosts: ['10.0.0.1', '10.0.0.2', '::1'], order: ['10.0.0.1', '::1', '10.0.0.2'], why: 'IPv4 is first' },
    { hosts: ['10.0.0.2', '10.0.0.1'], order: ['10.0.0.2', '10.0.0.1'], why: 'one family keeps its order' },
  ];
  for (const { hosts, order, why } of cases) {
    it(`have their families in turn: ${why}`, () => {
      expect(interleaved(hosts)).to.deep.equal(order);
    });
  }

  it('are all there, in turn while there are both, in their order within a family', () => {
    const ipv6 = fc.nat(9).map((number) => `::${String(number)}`);
    const ipv4 = fc.nat(9).map((number) => `10.0.0.${String(number)}`);
    fc.assert(
      fc.property(fc.array(fc.oneof(ipv6, ipv4)), (hosts) => {
        const order = interleaved(hosts);
        for (const is of [(host: string) => host.includes(':'), (host: string) => !host.includes(':')]) {
          expect(order.filter(is)).to.deep.equal(hosts.filter(is));
        }
        const few = Math.min(...[':', '.'].map((mark) => hosts.filter((host) => host.includes(mark)).length));
        const inTurn = order.slice(0, 2 * few).map((host) => host.includes(':'));
        expect(inTurn.every((isIpv6, index) => index === 0 || isIpv6 !== inTurn[index - 1])).to.be.true;
        expect(order[0]).to.equal(hosts[0]);
      }),
    );
  });
});

describe('relay, a name with several addresses', () => {
  type Racing = TestRelay & { readonly clock: FakeClock };

  /** A relay whose remote's name has these addresses, all with one port. */
  async function racing(hosts: readonly string[], port: number, openFiles = 1024): Promise<Racing> {
    const clock = new FakeClock();
    const remote = endpoint(`many.test:${String(port)}`, {}, { ...noIdleLooks, tcp_timeout: 3 });
    const lookup = (): Promise<readonly string[]> => Promise.resolve(hosts);
    return { ...(await loopback.relay(config(remote), { clock, lookup, openFiles })), clock };
  }

  /** Resolves when so many tries of the relay are under way. */
  async function trying(count: number): Promise<void> {
    const connects = (): number =>
      process.getActiveResourcesInfo().filter((name) => name.endsWith('ConnectWrap')).length;
    await eventually(`${String(count)} tries`, () => connects() === count, { intervalMs: 2 });
  }

  it('tries the next after 250 ms of silence, so that a black hole costs no more', async () => {
    const { port } = await silentPort(loopback, '::1');
    await loopback.tcpServer((socket) => socket.end('found'), '127.0.0.1', port);
    const { relay, clock } = await racing(['::1', '127.0.0.1'], port);
    const client = await loopback.client(listenOf(relay));
    const answer = received(client);
    await trying(1);
    clock.advance(249);
    await trying(1);
    clock.advance(1);
    expect(await answer).to.equal('found');
    await trying(0);
    client.end();
    await eventually('no timer', () => clock.timers === 0);
  });

  it('tries the next at once when one is refused', async () => {
    const server = await loopback.tcpServer((socket) => socket.end('found'));
    const { port } = server.address() as { port: number };
    const { relay } = await racing(['127.0.0.5', '127.0.0.6', '127.0.0.1'], port);
    expect(await received(await loopback.client(listenOf(relay)))).to.equal('found');
  });

  it('goes on with the silent one meanwhile, and takes it when it answers first', async () => {
    const first = await silentPort(loopback, '127.0.0.5');
    await silentPort(loopback, '127.0.0.6', first.port);
    const { relay, clock } = await racing(['127.0.0.5', '127.0.0.6'], first.port);
    const client = await loopback.client(listenOf(relay));
    await trying(1);
    clock.advance(250);
    await trying(2);
    first.wake();
    expect(await received(client)).to.equal('awake'); // once the kernel sends its SYN again
    await trying(0);
  });

  it('gives all of them together tcp_timeout, the lookup included', async () => {
    const { port } = await silentPort(loopback, '127.0.0.5');
    await silentPort(loopback, '127.0.0.6', port);
    const clock = new FakeClock();
    const found = Promise.withResolvers<readonly string[]>();
    const { relay, lines } = await loopback.relay(
      config(endpoint(`many.test:${String(port)}`, {}, { ...noIdleLooks, tcp_timeout: 3 })),
      { clock, lookup: () => found.promise },
    );
    const failed = failure(loopback.dial(listenOf(relay)));
    await eventually('the lookup', () => clock.timers === 1);
    clock.advance(2000);
    found.resolve(['127.0.0.5', '127.0.0.6']);
    await trying(1);
    clock.advance(999);
    await trying(2);
    clock.advance(1);
    expect(await failed).to.equal('ECONNRESET');
    await trying(0);
    const line = await loggedLine(lines, 'connection failed');
    expect(JSON.stringify(line['err'])).to.contain('not done within 3000 ms');
  });

  it('ends every try when the client resets', async () => {
    const { port } = await silentPort(loopback, '127.0.0.5');
    await silentPort(loopback, '127.0.0.6', port);
    const { relay, clock } = await racing(['127.0.0.5', '127.0.0.6'], port);
    const client = await loopback.client(listenOf(relay));
    await trying(1);
    clock.advance(250);
    await trying(2);
    client.resetAndDestroy();
    await eventually('its end', () => statusOf(relay).connections.failed.client === 1);
    await trying(0);
    expect(clock.timers).to.equal(0);
  });

  it('has no second try while file descriptors are short', async () => {
    const { port } = await silentPort(loopback, '127.0.0.5');
    await loopback.tcpServer((socket) => socket.end('found'), '127.0.0.6', port);
    const { relay, clock } = await racing(['127.0.0.5', '127.0.0.6'], port, 51); // two for clients
    const failed = failure(await loopback.client(listenOf(relay))); // connected: its connect is no try of the relay
    await trying(1);
    clock.advance(2999);
    await trying(1);
    clock.advance(1);
    expect(await failed).to.equal('ECONNRESET');
  });
});
