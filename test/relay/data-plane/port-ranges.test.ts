import { expect } from 'chai';
import type { RealmEndpoint, RealmNetwork } from '../../../src/config/realm-document.ts';
import type { RelayConfig } from '../../../src/config/relay-config.ts';
import { portsFrom } from '../../../src/lib/port-range.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { freePorts } from '../../support/free-port.ts';
import {
  closed,
  config,
  datagram,
  endpoint,
  failure,
  Loopback,
  received,
  statusOf,
  times,
} from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** The endpoint `web`, which listens on `ports` of 127.0.0.1; `remote` returns the remote of each port. */
function range(
  ports: readonly number[],
  remote: (port: number) => string,
  fields: Partial<RealmEndpoint> = {},
  network: RealmNetwork = {},
): RealmEndpoint[] {
  return ports.map((port, index) => {
    const listen = `127.0.0.1:${String(port)}`;
    if (index === 0) return endpoint(remote(port), { ...fields, listen }, network);
    const { extra_remotes: extra } = fields;
    return {
      range_of: fields.name ?? 'web',
      listen,
      remote: remote(port),
      ...(extra && { extra_remotes: extra }),
    };
  });
}

describe('relay, port ranges', () => {
  it('binds 256 ports, each to its own remote port, as one endpoint', async () => {
    const [first, target] = [await freePorts(256), await freePorts(3)];
    const [last, offsets] = [first + 255, [0, 1, 2]];
    for (const offset of offsets) {
      await loopback.tcpServer((socket) => socket.end(`at +${String(offset)}`), '127.0.0.1', target + offset);
    }
    const { relay } = await loopback.relay(
      config(...range(portsFrom(first, last), (port) => `127.0.0.1:${String(target + port - first)}`)),
    );
    for (const offset of offsets) {
      expect(await loopback.greeting(`127.0.0.1:${String(first + offset)}`)).to.equal(
        `at +${String(offset)}`,
      );
    }
    expect(await failure(loopback.dial(`127.0.0.1:${String(last)}`))).to.equal('ECONNRESET');
    const listen = `127.0.0.1:${String(first)}-${String(last)}`;
    const remote = `127.0.0.1:${String(target)}-${String(target + 255)}`;
    expect(relay.status().endpoints).to.have.length(1);
    const { connections, health, ...status } = statusOf(relay);
    expect(status).to.deep.include({
      listen,
      families: ['IPv4'],
      protocols: ['TCP'],
      ready: true,
      message: '',
      sockets: [{ protocol: 'TCP', address: listen, bound: true, reason: '' }],
      remotes: [remote],
    });
    expect(connections).to.deep.include({ total: 4, failed: { client: 0, upstream: 1, relay: 0 } });
    // One port of the remote refuses, three serve.
    const [served, ...others] = health.TCP;
    expect(others).to.deep.equal([]);
    expect(served).to.include({
      address: remote,
      state: 'healthy',
      reason: '',
      active: 0,
      dials: 4,
      failed: 1,
    });
    expect(served?.lastFailure?.message).to.contain('ECONNREFUSED');
  });

  it('relays 2,000 UDP ports of one endpoint: on the first, a middle and the last, before and after a reload', async () => {
    const first = await freePorts(2000);
    const offsets = [0, 1000, 1999];
    for (const offset of offsets) {
      await loopback.udpEcho(`at +${String(offset)}: `, '127.0.0.2', first + offset);
    }
    const large = (fields: Partial<RealmEndpoint>, network: RealmNetwork = {}): RelayConfig =>
      config(
        endpoint(
          `127.0.0.2:${String(first)}`,
          { listen: `127.0.0.1:${String(first)}`, listen_end_port: first + 1999, ...fields },
          { use_udp: true, no_tcp: true, ...network },
        ),
      );
    const { relay, lines } = await loopback.relay(large({}));
    const clients = await Promise.all(offsets.map(() => loopback.udp()));
    const answers = (count = 3): Promise<string[]> =>
      Promise.all(
        clients.slice(0, count).map(async (client, index) => {
          const answer = datagram(client);
          client.send('x', first + (offsets[index] ?? 0), '127.0.0.1');
          return (await answer).toString();
        }),
      );
    const wanted = ['at +0: x', 'at +1000: x', 'at +1999: x'];
    expect(await answers()).to.deep.equal(wanted);
    const listen = `127.0.0.1:${String(first)}-${String(first + 1999)}`;
    const sockets = [{ protocol: 'UDP', address: listen, bound: true, reason: '' }];
    expect(statusOf(relay)).to.deep.include({ listen, ready: true, sockets });
    const listening = times(lines, 'listening');
    await relay.reload(large({ balance: 'iphash: 1' }, { udp_timeout: 60 }));
    expect(await answers()).to.deep.equal(wanted);
    expect(statusOf(relay).associations, 'kept').to.include({ active: 3, total: 3 });
    await relay.reload(large({ listen_end_port: first + 1998 }));
    expect(await answers(2)).to.deep.equal(wanted.slice(0, 2));
    expect(statusOf(relay).listen).to.equal(`127.0.0.1:${String(first)}-${String(first + 1998)}`);
    expect(times(lines, 'listening'), 'bound once').to.equal(listening);
  });

  it('carries UDP at each port, and ends the associations of a port whose remote has changed', async () => {
    const first = await freePorts(2);
    const remotes = [await loopback.udpEcho('a '), await loopback.udpEcho('b ')];
    const to = (second: string) =>
      config(
        ...range(
          [first, first + 1],
          (port) => (port === first ? (remotes[0] ?? '') : second),
          {},
          { use_udp: true },
        ),
      );
    const { relay } = await loopback.relay(to(remotes[1] ?? ''));
    const clients = [await loopback.udp(), await loopback.udp()];
    const answers = async (): Promise<string[]> =>
      Promise.all(
        clients.map(async (client, index) => {
          const answer = datagram(client);
          client.send('x', first + index, '127.0.0.1');
          return (await answer).toString();
        }),
      );
    expect(await answers()).to.deep.equal(['a x', 'b x']);
    await relay.reload(to(await loopback.udpEcho('c ')));
    expect(await answers()).to.deep.equal(['a x', 'c x']);
    expect(statusOf(relay).associations).to.deep.include({ active: 2, total: 3 });
  });

  it('reports the port that is in use, serves the others, and binds it once it is free', async () => {
    const clock = new FakeClock();
    const first = await freePorts(8);
    const foreign = await loopback.tcpServer(() => undefined, '127.0.0.1', first + 3);
    const remote = await loopback.greeter('hi');
    const { relay, lines } = await loopback.relay(
      config(...range(portsFrom(first, first + 7), () => remote)),
      {
        clock,
      },
    );
    const at = (from: number, to = from): string =>
      `127.0.0.1:${String(first + from)}${from === to ? '' : `-${String(first + to)}`}`;
    expect(await loopback.greeting(at(7))).to.equal('hi');
    expect(statusOf(relay)).to.deep.include({
      ready: false,
      message: `TCP ${at(3)}: address in use: this relay itself listens there, perhaps as its admin server: choose another port`,
      sockets: [
        { protocol: 'TCP', address: at(0, 2), bound: true, reason: '' },
        { protocol: 'TCP', address: at(3), bound: false, reason: 'AddressInUse' },
        { protocol: 'TCP', address: at(4, 7), bound: true, reason: '' },
      ],
    });
    expect(lines.filter(({ level }) => level === 'error')).to.have.length(1);
    await closed(foreign);
    clock.advance(1000);
    await eventually('it is bound', () => statusOf(relay).ready);
    expect(await loopback.greeting(at(3))).to.equal('hi');
  });

  it('logs 20 of the ports in use and the number of the others, and binds them all once they are free', async () => {
    const clock = new FakeClock();
    const first = await freePorts(60);
    const foreign = await Promise.all(
      portsFrom(first, first + 59).map((port) => loopback.udp('127.0.0.1', undefined, port)),
    );
    const { relay, lines } = await loopback.relay(
      config(
        endpoint(
          '127.0.0.1:1',
          { listen: `127.0.0.1:${String(first)}`, listen_end_port: first + 59 },
          { use_udp: true, no_tcp: true },
        ),
      ),
      { clock },
    );
    expect(statusOf(relay).message).to.match(/: address in use: .+; and 57 more like these$/);
    expect(lines.filter(({ level }) => level === 'error')).to.have.length(20);
    clock.advance(9000);
    for (const socket of foreign) socket.close();
    await eventually('all are bound', () => {
      clock.advance(1000);
      return statusOf(relay).ready;
    });
    clock.advance(10_000);
    const suppressed = lines.find(({ message }) => message === 'bind failed, retrying');
    expect(suppressed).to.deep.include({ endpoint: 'web', more: 40, msg: 'similar warnings suppressed' });
    expect(times(lines, 'listening again')).to.equal(60); // the log of tests has debug lines
    expect(lines.filter(({ msg, level }) => msg === 'listening again' && level === 'info')).to.have.length(
      20,
    );
  });

  it('names the endpoint and the ports at which two ranges overlap, the first three of many', async () => {
    const first = await freePorts(20);
    const remote = '127.0.0.1:1';
    const { relay } = await loopback.relay(
      config(
        ...range(portsFrom(first, first + 9), () => remote, { name: 'a' }),
        ...range(portsFrom(first + 5, first + 14), () => remote, { name: 'b' }),
      ),
    );
    const { message } = statusOf(relay, 'b');
    for (const port of [5, 6, 7].map((offset) => String(first + offset))) {
      expect(message)
        .to.contain(`"a" (127.0.0.1:${port} for IPv4)`)
        .and.to.contain(`cannot share TCP port ${port}:`);
    }
    expect(message).to.match(/; and 2 more like these$/);
  });

  it('keeps the sockets and connections of the ports that stay when a range moves', async () => {
    const first = await freePorts(20);
    const remote = await loopback.echo();
    const run = (from: number, to: number) =>
      config(...range(portsFrom(first + from, first + to), () => remote));
    const { relay, lines } = await loopback.relay(run(0, 9));
    const at = (offset: number): string => `127.0.0.1:${String(first + offset)}`;
    const client = await loopback.client(at(5));
    const knock = async (): Promise<void> => {
      for (let i = 0; i < 20; i += 1)
        expect(await loopback.exchange(await loopback.client(at(6)), 'x')).to.equal('x');
    };
    const move = async (): Promise<void> => {
      for (const [from, to] of [
        [0, 19],
        [5, 12],
        [0, 7],
        [5, 14],
      ] as const)
        await relay.reload(run(from, to));
    };
    await Promise.all([knock(), move()]);
    expect(await loopback.exchange(client, 'still here')).to.equal('still here');
    expect(await failure(loopback.dial(at(4)))).to.equal('ECONNREFUSED');
    expect(await loopback.exchange(await loopback.client(at(14)), 'new')).to.equal('new');
    expect(statusOf(relay)).to.include({ ready: true, listen: `${at(5)}-${String(first + 14)}` });
    const bound = lines.filter(({ msg, listen }) => msg === 'listening' && listen === at(5));
    expect(bound, 'bound once').to.have.length(1);
  });

  it('shares max_connections among its ports, and serves a waiting client by the port it came to', async () => {
    const first = await freePorts(2);
    const remotes = [await loopback.greeter('a'), await loopback.greeter('b')];
    const { relay } = await loopback.relay(
      config(...range([first, first + 1], (port) => remotes[port - first] ?? '', {}, { max_connections: 1 })),
    );
    const served = await loopback.client(`127.0.0.1:${String(first)}`); // it never ends its side
    await eventually('it is served', () => statusOf(relay).connections.active === 1);
    const waits = await loopback.client(`127.0.0.1:${String(first + 1)}`);
    await eventually('the other waits', () => statusOf(relay).waiting === 1);
    served.destroy();
    expect(await received(waits)).to.equal('b');
  });

  it('keeps a client at its host while other ports of that host refuse', async () => {
    const first = await freePorts(64);
    const hosts = ['127.0.0.1', '127.0.0.2'];
    for (const host of hosts) await loopback.tcpServer((socket) => socket.end(host), host, first + 40);
    const ports = [first, first + 1, first + 2];
    const remotes = (port: number): string[] => hosts.map((host) => `${host}:${String(port + 40 - 1)}`);
    const entries = range(ports, (port) => remotes(port)[0] ?? '', { balance: 'iphash: 1, 1' });
    const { relay } = await loopback.relay(
      config(
        ...entries.map((entry, index) => ({
          ...entry,
          extra_remotes: [remotes(ports[index] ?? 0)[1] ?? ''],
        })),
      ),
      { clock: new FakeClock() }, // no dial is overtaken by the next one
    );
    const middle = `127.0.0.1:${String(first + 1)}`;
    const host = await loopback.greeting(middle);
    for (const refusing of [first, first + 2]) {
      expect(await failure(loopback.dial(`127.0.0.1:${String(refusing)}`))).to.equal('ECONNRESET');
    }
    expect(await loopback.greeting(middle)).to.equal(host);
    expect(statusOf(relay).health.TCP.map(({ failed }) => failed)).to.deep.equal([2, 2]);
  });
});
