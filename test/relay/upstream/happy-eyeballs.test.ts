import { expect } from 'chai';
import fc from 'fast-check';
import { interleaved } from '../../../src/relay/upstream/happy-eyeballs.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { connecting } from '../../support/open-sockets.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  Loopback,
  loggedLine,
  noIdleSweep,
  received,
  statusOf,
  openFilesFor,
} from '../loopback.ts';
import type { TestRelay } from '../loopback.ts';
import { silentPort } from './silent-port.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('interleaved addresses', () => {
  const cases = [
    { hosts: [], order: [], why: 'none stays none' },
    {
      hosts: ['::1', '::2', '10.0.0.1'],
      order: ['::1', '10.0.0.1', '::2'],
      why: 'IPv6 first if the first is IPv6',
    },
    {
      hosts: ['10.0.0.1', '10.0.0.2', '::1'],
      order: ['10.0.0.1', '::1', '10.0.0.2'],
      why: 'IPv4 first if the first is IPv4',
    },
    { hosts: ['10.0.0.2', '10.0.0.1'], order: ['10.0.0.2', '10.0.0.1'], why: 'one family keeps its order' },
  ];
  for (const { hosts, order, why } of cases) {
    it(`alternate between the families: ${why}`, () => {
      expect(interleaved(hosts)).to.deep.equal(order);
    });
  }

  it('are complete, alternate while both families last, and keep the order within each', () => {
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
  type RacingRelay = TestRelay & { readonly clock: FakeClock };

  /** A relay whose remote is a name with these addresses, all at one port. */
  async function racing(hosts: readonly string[], port: number, openFiles = 1024): Promise<RacingRelay> {
    const clock = new FakeClock();
    const remote = endpoint(`many.test:${String(port)}`, {}, { ...noIdleSweep, tcp_timeout: 3 });
    const lookup = (): Promise<readonly string[]> => Promise.resolve(hosts);
    return { ...(await loopback.relay(config(remote), { clock, lookup, openFiles })), clock };
  }

  /** Resolves when `count` connection attempts of the relay to `port` are pending. */
  async function attempts(port: number, count: number): Promise<void> {
    await eventually(`${String(count)} attempts`, () => connecting(port) === count, { intervalMs: 2 });
  }

  it('tries the next address after 250 ms of silence, so that a black hole costs no more', async () => {
    const { port } = await silentPort(loopback, '::1');
    await loopback.tcpServer((socket) => socket.end('found'), '127.0.0.1', port);
    const { relay, clock } = await racing(['::1', '127.0.0.1'], port);
    const client = await loopback.client(listenOf(relay));
    const answer = received(client);
    await attempts(port, 1);
    clock.advance(249);
    await attempts(port, 1);
    clock.advance(1);
    expect(await answer).to.equal('found');
    await attempts(port, 0);
    client.end();
    await eventually('no timer', () => clock.timers === 0);
  });

  it('tries the next address at once after a refusal', async () => {
    const server = await loopback.tcpServer((socket) => socket.end('found'));
    const { port } = server.address() as { port: number };
    const { relay } = await racing(['127.0.0.5', '127.0.0.6', '127.0.0.1'], port);
    expect(await received(await loopback.client(listenOf(relay)))).to.equal('found');
  });

  it('keeps waiting for a silent address, and uses it if it answers first', async () => {
    const first = await silentPort(loopback, '127.0.0.5');
    const { port } = first;
    await silentPort(loopback, '127.0.0.6', port);
    const { relay, clock } = await racing(['127.0.0.5', '127.0.0.6'], port);
    const client = await loopback.client(listenOf(relay));
    await attempts(port, 1);
    clock.advance(250);
    await attempts(port, 2);
    first.wake();
    expect(await received(client)).to.equal('awake'); // once the kernel retransmits its SYN
    await attempts(port, 0);
  });

  it('gives the lookup and all addresses together tcp_timeout', async () => {
    const { port } = await silentPort(loopback, '127.0.0.5');
    await silentPort(loopback, '127.0.0.6', port);
    const clock = new FakeClock();
    const found = Promise.withResolvers<readonly string[]>();
    const { relay, lines } = await loopback.relay(
      config(endpoint(`many.test:${String(port)}`, {}, { ...noIdleSweep, tcp_timeout: 3 })),
      { clock, lookup: () => found.promise },
    );
    const failed = failure(loopback.dial(listenOf(relay)));
    await eventually('the lookup', () => clock.timers === 1);
    clock.advance(2000);
    found.resolve(['127.0.0.5', '127.0.0.6']);
    await attempts(port, 1);
    clock.advance(999);
    await attempts(port, 2);
    clock.advance(1);
    expect(await failed).to.equal('ECONNRESET');
    await attempts(port, 0);
    const line = await loggedLine(lines, 'connection failed');
    expect(JSON.stringify(line['err'])).to.contain('timed out after 3000 ms');
  });

  it('abandons every attempt when the client resets', async () => {
    const { port } = await silentPort(loopback, '127.0.0.5');
    await silentPort(loopback, '127.0.0.6', port);
    const { relay, clock } = await racing(['127.0.0.5', '127.0.0.6'], port);
    const client = await loopback.client(listenOf(relay));
    await attempts(port, 1);
    clock.advance(250);
    await attempts(port, 2);
    client.resetAndDestroy();
    await eventually('its end', () => statusOf(relay).probes === 1); // it has sent nothing
    await attempts(port, 0);
    expect(clock.timers).to.equal(0);
  });

  it('starts no second attempt while file descriptors are short', async () => {
    const { port } = await silentPort(loopback, '127.0.0.5');
    await loopback.tcpServer((socket) => socket.end('found'), '127.0.0.6', port);
    const { relay, clock } = await racing(['127.0.0.5', '127.0.0.6'], port, openFilesFor(3)); // a listener, and two for clients
    const failed = failure(await loopback.client(listenOf(relay))); // connected: no attempt of the relay's
    await attempts(port, 1);
    clock.advance(2999);
    await attempts(port, 1);
    clock.advance(1);
    expect(await failed).to.equal('ECONNRESET');
  });
});
