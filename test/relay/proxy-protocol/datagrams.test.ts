import type { Socket } from 'node:dgram';
import { expect } from 'chai';
import type { RealmEndpoint, RealmNetwork } from '../../../src/config/realm-document.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { testEngine } from '../engines.ts';
import { config, endpoint, listenOf, Loopback, split, type TestRelay } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const headed = { no_tcp: true, use_udp: true, send_proxy: true, send_proxy_udp: true };
const signature = '0d0a0d0a000d0a515549540a';

/** A header of version 2 in hexadecimal. PROXY protocol, section 2.2. */
function header(family: '12' | '22', ips: string, ports: readonly number[]): string {
  const length = family === '12' ? '000c' : '0024';
  const portBytes = ports.map((port) => port.toString(16).padStart(4, '0')).join('');
  return `${signature}21${family}${length}${ips}${portBytes}`;
}

const loopback4 = '7f000001';
const loopback6 = `${'0'.repeat(31)}1`;

type Running = TestRelay & { readonly port: number; readonly clock: FakeClock };

async function started(
  network: RealmNetwork,
  fields: Partial<RealmEndpoint>,
  remote: Socket,
): Promise<Running> {
  const clock = new FakeClock();
  const address = `127.0.0.1:${String(remote.address().port)}`;
  const running = await loopback.relay(
    config(endpoint(address, { network: { ...headed, ...network }, ...fields })),
    {
      clock,
    },
  );
  return { ...running, clock, port: split(listenOf(running.relay)).port };
}

/** A remote that keeps what it receives, in hexadecimal, and answers. */
async function remote(host = '127.0.0.1'): Promise<{ socket: Socket; got: string[] }> {
  const got: string[] = [];
  const socket = await loopback.udp(host, (datagram, from, self) => {
    got.push(datagram.toString('hex'));
    self.send('answer', from.port, from.address);
  });
  return { socket, got };
}

const text = (word: string): string => Buffer.from(word).toString('hex');

describe('relay, PROXY headers of UDP', () => {
  const isAskedKnown = testEngine.udp.answersFromAsked;
  const cases = [
    {
      why: 'begins an association with a header, and no further datagram',
      network: {},
      isEach: false,
      listen: '127.0.0.1:0',
      client: '127.0.0.1',
      family: '12' as const,
      ips: loopback4 + loopback4,
    },
    {
      why: 'begins every datagram with a header with send_proxy_every_datagram',
      network: { send_proxy_every_datagram: true },
      isEach: true,
      listen: '127.0.0.1:0',
      client: '127.0.0.1',
      family: '12' as const,
      ips: loopback4 + loopback4,
    },
    {
      why: 'states an IPv6 client',
      network: {},
      isEach: false,
      listen: '[::1]:0',
      client: '::1',
      family: '22' as const,
      ips: loopback6 + loopback6,
    },
    {
      why: isAskedKnown
        ? 'states an IPv4 client of a socket of both families, and the address that it asked'
        : 'states an IPv4 client of a socket of both families, and that it does not know which address was asked',
      network: {},
      isEach: false,
      listen: '[::]:0',
      client: '127.0.0.1',
      family: '12' as const,
      ips: `${loopback4}${isAskedKnown ? loopback4 : '00000000'}`,
    },
  ];
  for (const { why, network, isEach, listen, client: host, family, ips } of cases) {
    it(why, async () => {
      const { socket, got } = await remote();
      const { port } = await started(network, { listen }, socket);
      const client = await loopback.udp(host);
      for (const word of ['one', 'two', 'three']) {
        client.send(word, port, host);
        await eventually('it', () => got.at(-1)?.endsWith(text(word)) === true, { intervalMs: 1 });
      }
      const head = header(family, ips, [client.address().port, port]);
      const rest = isEach ? head : '';
      expect(got).to.deep.equal([head + text('one'), rest + text('two'), rest + text('three')]);
    });
  }

  it('sends none unless send_proxy_udp is set', async () => {
    const { socket, got } = await remote();
    const { port } = await started({ send_proxy_udp: false }, {}, socket);
    (await loopback.udp()).send('plain', port, '127.0.0.1');
    await eventually('it', () => got.length === 1);
    expect(got).to.deep.equal([text('plain')]);
  });

  it('sends the header to the next remote, too', async () => {
    const silent = await loopback.udp();
    const { socket, got } = await remote();
    const extra_remotes = [`127.0.0.1:${String(socket.address().port)}`];
    const { port, clock, relay } = await started({}, { extra_remotes }, silent);
    const client = await loopback.udp();
    client.send('one', port, '127.0.0.1');
    await eventually('it', () => relay.status().endpoints[0]?.associations.fromClientBytes === 3);
    await eventually('a socket', () => relay.status().endpoints[0]?.health.UDP[0]?.active === 1);
    clock.advance(400);
    client.send('two', port, '127.0.0.1');
    await eventually('it', () => got.length === 1);
    expect(got).to.deep.equal([
      header('12', loopback4 + loopback4, [client.address().port, port]) + text('two'),
    ]);
  });

  it('sends LOCAL before the datagram of a health check', async () => {
    const { socket, got } = await remote();
    await started({}, { health_check: { udp: { send: 'ping', expect: 'answer' } } }, socket);
    await eventually('the check', () => got.length === 1);
    expect(got).to.deep.equal([`${signature}20000000${text('ping')}`]);
  });
});
