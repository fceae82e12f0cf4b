import { once } from 'node:events';
import { expect } from 'chai';
import type { EndpointConfig } from '../../../src/config/relay-config.ts';
import { portsFrom } from '../../../src/lib/port-range.ts';
import type { Backends } from '../../../src/relay/upstream/backends.ts';
import { Remote } from '../../../src/relay/upstream/remote.ts';
import { RecentErrors } from '../../../src/relay/stats/recent-errors.ts';
import { RemotePools } from '../../../src/relay/upstream/remote-pools.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import {
  closed,
  config,
  datagram,
  endpoint,
  keptLog,
  listenOf,
  Loopback,
  noIdleSweep,
  split,
  statusOf,
} from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

function context(clock: FakeClock): ConstructorParameters<typeof RemotePools>[1] {
  return {
    log: keptLog().log,
    errors: new RecentErrors(clock),
    clock,
    random: () => 1,
    onOvertaken: () => undefined,
  };
}

/** The pools of an endpoint with three remotes, `a:1`, `b:1` and `c:1`. */
function pool(clock: FakeClock, balance?: string): RemotePools {
  const [only] = config(
    endpoint('a:1', { extra_remotes: ['b:1', 'c:1'], ...(balance !== undefined && { balance }) }),
  ).endpoints;
  if (only === undefined) throw new Error('no endpoint');
  return new RemotePools(only, context(clock));
}

/**
 * An endpoint on ports `first` to `last` of `[::]` with the remotes `a` and `b`, whose port is `target` of the
 * listening port.
 */
function rangedConfig(
  first: number,
  last: number,
  target = (port: number): number => port + 1000,
): EndpointConfig {
  const entries = portsFrom(first, last).map((port) => ({
    ...(port === first ? { name: 'web' } : { range_of: 'web' }),
    listen: `[::]:${String(port)}`,
    remote: `a:${String(target(port))}`,
    extra_remotes: [`b:${String(target(port))}`],
  }));
  const [only] = config(...entries).endpoints;
  if (only === undefined) throw new Error('no endpoint');
  return only;
}

function ranged(clock: FakeClock, ...range: Parameters<typeof rangedConfig>): RemotePools {
  return new RemotePools(rangedConfig(...range), context(clock));
}

function orderOf(backends: Backends | undefined, client: string): Remote[] {
  return [...(backends?.choose(client)?.order(client) ?? [])];
}

function order(from: RemotePools): string {
  return orderOf(from.first, '::1')
    .map(({ host }) => host)
    .join('');
}

const refused = new Error('refused');

describe('remote pools', () => {
  it('ejects a remote that failed, longer each time, until one client probes it', () => {
    const clock = new FakeClock();
    const remotes = pool(clock);
    const [a] = remotes.first.remotes;
    for (const backoffMs of [1000, 2000, 4000]) {
      a?.fail(refused);
      clock.advance(backoffMs - 1);
      expect(order(remotes)).to.equal('bca');
      clock.advance(1);
      expect(order(remotes)).to.equal('abc');
      expect(order(remotes), 'only one client probes').to.equal('bca');
    }
    a?.succeed();
    expect(order(remotes)).to.equal('abc');
  });

  it('ejects a remote for a minute at most', () => {
    const clock = new FakeClock();
    const remotes = pool(clock);
    for (let i = 0; i < 50; i += 1) remotes.first.remotes[0]?.fail(refused);
    clock.advance(60_000);
    expect(order(remotes)).to.equal('abc');
  });

  it('keeps the order if all remotes have failed', () => {
    const remotes = pool(new FakeClock());
    for (const remote of remotes.first.remotes) remote.fail(refused);
    expect(order(remotes)).to.equal('abc');
  });

  it('keeps the state of a remote across a reload', () => {
    const clock = new FakeClock();
    const remotes = pool(clock);
    remotes.first.remotes[1]?.fail(refused);
    const [only] = config(endpoint('b:1', { extra_remotes: ['d:1'] })).endpoints;
    if (only !== undefined) remotes.configure(only);
    expect(order(remotes)).to.equal('db');
  });

  it('keeps the state of each port when a range moves, and drops that of ports it leaves', () => {
    const clock = new FakeClock();
    const remotes = ranged(clock, 80, 82);
    remotes.forPort(81)?.remotes[0]?.fail(refused);
    expect([80, 81, 82].map((port) => orderOf(remotes.forPort(port), '::1')[0]?.text)).to.deep.equal([
      'a:1080',
      'b:1081',
      'a:1082',
    ]);
    remotes.addPorts(rangedConfig(81, 84));
    expect(
      remotes.forPort(84)?.remotes[0]?.text,
      'its socket is bound before the reload is complete',
    ).to.equal('a:1084');
    expect(remotes.forPort(80)?.remotes[0]?.text).to.equal('a:1080');
    remotes.configure(rangedConfig(81, 84));
    expect(remotes.forPort(80)).to.equal(undefined);
    expect([81, 82].map((port) => orderOf(remotes.forPort(port), '::1')[0]?.text)).to.deep.equal([
      'b:1081',
      'a:1082',
    ]);
    expect(remotes.names).to.deep.equal(['a:1081-1084', 'b:1081-1084']);
  });

  it('applies the checks of the first port to all ports of a range', () => {
    const remotes = ranged(new FakeClock(), 80, 82);
    const second = remotes.forPort(81);
    remotes.first.remotes[0]?.failCheck(1, refused);
    for (const port of [81, 82]) expect(orderOf(remotes.forPort(port), '::1')[0]?.host).to.equal('b');
    expect(remotes.health[0]).to.include({ address: 'a:1080-1082', healthy: false, reason: 'CheckFailed' });
    remotes.first.remotes[0]?.passCheck(1);
    expect(orderOf(second, '::1')[0]?.host).to.equal('a');
    expect(remotes.health[0]).to.include({ healthy: true, reason: '' });
  });

  it('reports a range as healthy while any port in use works, and sums up its counts', () => {
    const remotes = ranged(new FakeClock(), 80, 82);
    for (const port of [80, 82]) remotes.forPort(port)?.remotes[0]?.fail(refused);
    expect(remotes.health[0]).to.include({ healthy: false, reason: 'DialFailed', failed: 2 });
    for (const port of [81, 82]) remotes.forPort(port)?.remotes[0]?.acquire();
    remotes.forPort(81)?.remotes[0]?.succeed();
    expect(remotes.health[0]).to.include({ healthy: true, reason: '', failed: 2, active: 2 });
  });

  it('reports a range as unknown until a port in use was dialled', () => {
    const remotes = ranged(new FakeClock(), 80, 82);
    remotes.forPort(81)?.remotes[0]?.acquire();
    expect(remotes.health[0]).to.include({ state: 'unknown', healthy: null, reason: '' });
    remotes.forPort(82)?.remotes[0]?.fail(refused);
    expect(remotes.health[0]).to.include({ state: 'unhealthy', healthy: false, reason: 'DialFailed' });
  });

  it('counts one remote if all ports of a range go to one port', () => {
    const remotes = ranged(new FakeClock(), 80, 82, () => 1000);
    remotes.forPort(81)?.remotes[0]?.acquire();
    expect(remotes.forPort(82)?.remotes[0]?.active).to.equal(1);
    expect(remotes.health.map(({ address, active }) => [address, active])).to.deep.equal([
      ['a:1000', 1],
      ['b:1000', 0],
    ]);
  });

  it('keeps a client at one host on every port of a range with iphash', () => {
    const balance = { strategy: 'iphash', weights: [1, 1] } as const;
    const remotes = new RemotePools({ ...rangedConfig(80, 89), balance }, context(new FakeClock()));
    const hostsOf = (client: string): string =>
      portsFrom(80, 89)
        .map((port) => orderOf(remotes.forPort(port), client)[0]?.host ?? '')
        .join('');
    const clients = Array.from({ length: 64 }, (_, index) => `10.0.0.${String(index)}`);
    expect(new Set(clients.map(hostsOf))).to.deep.equal(new Set(['a'.repeat(10), 'b'.repeat(10)]));
  });

  it('moves no client of the other remotes with iphash when one fails', () => {
    const remotes = pool(new FakeClock(), 'iphash: 1, 1, 1');
    const clients = Array.from(
      { length: 300 },
      (_, index) => `10.0.${String(index >> 6)}.${String(index & 63)}`,
    );
    const firsts = (): string[] => clients.map((client) => orderOf(remotes.first, client)[0]?.host ?? '');
    const before = firsts();
    remotes.first.remotes[0]?.fail(refused);
    const after = firsts();
    expect(before.filter((host, index) => host !== 'a' && host !== after[index])).to.deep.equal([]);
    expect(after).to.not.include('a');
  });
});

describe('remote', () => {
  it('turns unhealthy after 3 failed checks in a row, and healthy after 2 that pass', () => {
    const { log, lines } = keptLog();
    const [address] = config(endpoint('a:1')).endpoints[0]?.remotes ?? [];
    if (address === undefined) throw new Error('no remote');
    const clock = new FakeClock();
    const errors = new RecentErrors(clock);
    const remote = new Remote('web', address, { ...context(clock), log, errors });
    const seen = ['f', 'f', 'p', 'f', 'f', 'f', 'f', 'p', 'f', 'p', 'p', 'p'].map((check) => {
      if (check === 'p') remote.passCheck(2);
      else remote.failCheck(3, refused);
      return remote.isPreferred ? '+' : '-';
    });
    expect(seen.join('')).to.equal('+++++-----++');
    expect(lines.map(({ msg }) => msg)).to.deep.equal(['remote is unhealthy', 'remote is healthy again']);
  });
});

describe('relay, health checks', () => {
  it('keep clients away from a remote that is down until it is up again', async () => {
    const clock = new FakeClock();
    const port = await freePort();
    const first = `127.0.0.1:${String(port)}`;
    const { relay } = await loopback.relay(
      config(
        endpoint(first, {
          extra_remotes: [await loopback.greeter('second')],
          health_check: { unhealthy_threshold: 2, interval: 10 },
          network: noIdleSweep,
        }),
      ),
      { clock },
    );
    const isHealthy = async (wanted: boolean): Promise<void> => {
      await eventually('the checks', () => {
        clock.advance(10_000);
        return statusOf(relay).health.TCP[0]?.healthy === wanted;
      });
    };
    await isHealthy(false);
    expect(statusOf(relay).health.TCP[0]).to.deep.include({ reason: 'CheckFailed', failed: 0 });
    expect(await loopback.greeting(listenOf(relay))).to.equal('second');
    expect(statusOf(relay).health.TCP[0]).to.deep.include({ failed: 0 }); // no client was sent there
    const server = await loopback.tcpServer((socket) => socket.end('first'), '127.0.0.1', port);
    await isHealthy(true);
    expect(await loopback.greeting(listenOf(relay))).to.equal('first');
    await closed(server);
    await isHealthy(false);
    await relay.reload(config(endpoint(first, {}, noIdleSweep)));
    expect(statusOf(relay).health.TCP[0]).to.deep.include({ healthy: true, reason: '' });
    await eventually('no timer', () => clock.timers === 0);
  });
});

describe('relay, remotes that fail', () => {
  it('returns to the first remote with Failover once it works again', async () => {
    const clock = new FakeClock();
    const port = await freePort();
    const second = await loopback.greeter('second');
    const first = `127.0.0.1:${String(port)}`;
    const { relay, lines } = await loopback.relay(config(endpoint(first, { extra_remotes: [second] })), {
      clock,
      random: () => 1,
    });
    const timesLogged = (text: string): number => lines.filter(({ msg }) => msg === text).length;
    for (let i = 0; i < 3; i += 1) expect(await loopback.greeting(listenOf(relay))).to.equal('second');
    expect(statusOf(relay).health.TCP[0]).to.deep.equal({
      address: first,
      state: 'unhealthy',
      healthy: false,
      reason: 'DialFailed',
      active: 0,
      dials: 1,
      failed: 1,
      fromClientBytes: 0,
      fromUpstreamBytes: 0,
      lastCheck: null,
      lastFailure: { time: clock.now().toISOString(), message: `connect ECONNREFUSED ${first}` },
    });
    const server = await loopback.tcpServer((socket) => socket.end('first'), '127.0.0.1', port);
    expect(await loopback.greeting(listenOf(relay))).to.equal('second');
    clock.advance(1000);
    expect(await loopback.greeting(listenOf(relay))).to.equal('first');
    expect(await loopback.greeting(listenOf(relay))).to.equal('first');
    expect(statusOf(relay).health.TCP[0]).to.deep.include({ healthy: true, failed: 1 });
    expect(timesLogged('remote ejected')).to.equal(1);
    expect(timesLogged('remote recovered')).to.equal(1);
    await closed(server);
  });

  it('sends a client to the remote with the fewest connections with LeastConnections', async () => {
    const seen: string[] = [];
    const remotes = await Promise.all(
      ['a', 'b'].map((name) =>
        loopback.tcpRemote((socket) => {
          seen.push(name);
          socket.write(name);
          socket.on('end', () => socket.end());
        }),
      ),
    );
    const { relay } = await loopback.relay(
      config(
        endpoint(remotes[0] ?? '', {
          extra_remotes: [remotes[1] ?? ''],
          balance: 'roundrobin: 1, 1',
          strategy: 'leastconnections',
        }),
      ),
      { clock: new FakeClock() }, // no dial is overtaken by the next one
    );
    const clients = [];
    for (let i = 0; i < 4; i += 1) {
      const client = await loopback.client(listenOf(relay));
      const [greeted] = (await once(client, 'data')) as [Buffer];
      clients.push({ client, name: greeted.toString() });
    }
    expect(seen).to.deep.equal(['a', 'b', 'a', 'b']);
    for (const { client, name } of clients) if (name === 'b') client.end();
    await eventually('none at b', () => statusOf(relay).health.TCP[1]?.active === 0);
    for (let i = 0; i < 2; i += 1) await once(await loopback.client(listenOf(relay)), 'data');
    expect(seen.slice(4)).to.deep.equal(['b', 'b']);
    expect(statusOf(relay).health.TCP.map(({ active }) => active)).to.deep.equal([2, 2]);
  });

  it('sends a new UDP client past a remote that refused an earlier one', async () => {
    const port = await freePort();
    const { relay } = await loopback.relay(
      config(
        endpoint(
          `127.0.0.1:${String(port)}`,
          { extra_remotes: [await loopback.udpEcho('second ')] },
          { no_tcp: true, use_udp: true },
        ),
      ),
      { clock: new FakeClock() },
    );
    const listen = split(listenOf(relay));
    for (let i = 0; i < 3; i += 1) {
      const client = await loopback.udp();
      const answer = datagram(client);
      client.send('x', listen.port, listen.host);
      expect((await answer).toString()).to.equal('second x');
    }
    expect(statusOf(relay).health.UDP[0]).to.deep.include({
      address: `127.0.0.1:${String(port)}`,
      state: 'unhealthy',
      healthy: false,
      reason: 'DialFailed',
      active: 0,
      dials: 1,
      failed: 1,
    });
    expect(statusOf(relay).health.UDP[1]?.active).to.equal(3);
  });
});
