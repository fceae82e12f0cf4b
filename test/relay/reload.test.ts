import { expect } from 'chai';
import { ReloadError, type RelayServer } from '../../src/relay/server.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { eventually } from '../support/eventually.ts';
import { openSockets } from '../support/open-sockets.ts';
import { freePort } from '../support/free-port.ts';
import { closed, config, endpoint, failure, listenOf, Loopback, split, statusOf } from './loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('relay, reload', () => {
  it('changes remotes under an open listener, whose connections go on', async () => {
    const { relay } = await loopback.relay(config(endpoint(await loopback.echo())));
    const listen = listenOf(relay);
    const client = await loopback.client(listen);
    expect(await loopback.exchange(client, 'before')).to.equal('before');
    await relay.reload(config(endpoint(await loopback.greeter('new remote'), {}, { tcp_timeout: 4 })), 'abc');
    expect(listenOf(relay)).to.equal(listen);
    expect(await loopback.greeting(listen)).to.equal('new remote');
    expect(await loopback.exchange(client, 'after')).to.equal('after');
    expect(relay.status()).to.deep.include({ configHash: 'abc', ready: true, configProblem: '' });
  });

  it('refuses and loses no client while it reloads 50 times', async () => {
    const remotes = [await loopback.greeter('a'), await loopback.greeter('b')];
    const { relay } = await loopback.relay(config(endpoint(remotes[0] ?? '')));
    const listen = listenOf(relay);
    const answers: string[] = [];
    const knock = async (): Promise<void> => {
      for (let i = 0; i < 25; i += 1) answers.push(await loopback.greeting(listen));
    };
    const reload = async (): Promise<void> => {
      for (let i = 1; i <= 50; i += 1) {
        const more = endpoint('127.0.0.1:1', { name: `more${String(i)}` });
        await relay.reload(config(endpoint(remotes[i % 2] ?? ''), more));
      }
    };
    await Promise.all([knock(), knock(), knock(), knock(), reload()]);
    expect(answers.filter((answer) => answer === 'a' || answer === 'b')).to.have.length(100);
    expect(statusOf(relay).connections.failed).to.deep.equal({ client: 0, upstream: 0, relay: 0 });
  });

  it('changes nothing for an equal configuration', async () => {
    const first = config(endpoint('127.0.0.1:1'));
    const { relay, lines } = await loopback.relay(first);
    const before = lines.length;
    await relay.reload(config(endpoint('127.0.0.1:1')), 'the same with another comment');
    expect(lines.length).to.equal(before);
    expect(relay.status().configHash).to.equal('the same with another comment');
  });

  it('adds an endpoint, and closes the port of one that is removed while its connections go on', async () => {
    const clock = new FakeClock();
    const remote = await loopback.echo();
    const { relay, lines } = await loopback.relay(config(endpoint(remote, { name: 'old' })), {
      clock,
      retireMs: 60_000,
    });
    const old = listenOf(relay, 'old');
    const client = await loopback.client(old);
    expect(await loopback.exchange(client, 'x')).to.equal('x');
    await relay.reload(config(endpoint(remote, { name: 'new', listen: '[::1]:0' })));
    expect(relay.status().endpoints.map(({ name }) => name)).to.deep.equal(['new']);
    expect(await failure(loopback.dial(old))).to.equal('ECONNREFUSED');
    expect(await loopback.exchange(client, 'still here')).to.equal('still here');
    clock.advance(60_000);
    expect(await failure(client)).to.equal('ECONNRESET');
    const line = lines.find(({ msg }) => msg === 'closing the connections of a removed endpoint');
    expect(line).to.deep.include({ endpoint: 'old', connections: 1 });
  });

  it('keeps the socket of an endpoint whose name changes', async () => {
    const { relay } = await loopback.relay(config(endpoint(await loopback.echo(), { name: 'old' })));
    const [listen, client] = [listenOf(relay, 'old'), await loopback.client(listenOf(relay, 'old'))];
    await relay.reload(config(endpoint(await loopback.greeter('new'), { name: 'new' })));
    expect(listenOf(relay, 'new')).to.equal(listen);
    expect(await loopback.greeting(listen)).to.equal('new');
    expect(await loopback.exchange(client, 'x')).to.equal('x');
  });

  it('changes ipv6_only of an open listener, and warns beforehand that clients may be refused', async () => {
    const port = String(await freePort());
    const remote = await loopback.greeter('six', '::1');
    const { relay, lines } = await loopback.relay(config(endpoint(remote, { listen: `[::]:${port}` })));
    expect(await loopback.greeting(`127.0.0.1:${port}`)).to.equal('six');
    await relay.reload(
      config(
        endpoint(remote, { listen: `[::]:${port}` }, { ipv6_only: true }),
        endpoint(await loopback.greeter('four'), { name: 'v4', listen: `0.0.0.0:${port}` }),
      ),
    );
    expect(await loopback.greeting(`127.0.0.1:${port}`)).to.equal('four');
    expect(await loopback.greeting(`[::1]:${port}`)).to.equal('six');
    expect(statusOf(relay).families).to.deep.equal(['IPv6']);
    expect(lines.find(({ msg }) => msg.startsWith('replacing conflicting sockets'))).to.deep.include({
      level: 'warn',
      closing: [`TCP [::]:${port} 0`],
    });
  });

  it('rolls everything back if a socket cannot replace the one in its way', async () => {
    const port = await freePort();
    const foreign = await loopback.tcpServer(() => undefined, '127.0.0.1', port);
    const { relay } = await loopback.relay(
      config(
        endpoint(
          await loopback.greeter('six', '::1'),
          { listen: `[::]:${String(port)}` },
          { ipv6_only: true },
        ),
      ),
    );
    const wider = config(
      endpoint('127.0.0.1:1', { listen: `[::]:${String(port)}` }),
      endpoint('127.0.0.1:1', { name: 'other' }),
    );
    const error = await relay.reload(wider, 'wider').catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(ReloadError).with.property('code', 'REALM_RELOAD_ROLLED_BACK');
    expect(relay.status().endpoints.map(({ name }) => name)).to.deep.equal(['web']);
    expect(relay.status()).to.deep.include({ ready: true, configHash: '' });
    expect(relay.status().configProblem).to.contain('this relay itself listens there');
    expect(await loopback.greeting(`[::1]:${String(port)}`)).to.equal('six');
    await closed(foreign);
    await relay.reload(wider, 'wider');
    expect(relay.status()).to.deep.include({ ready: true, configHash: 'wider', configProblem: '' });
    expect(statusOf(relay).families).to.deep.equal(['IPv4', 'IPv6']);
  });

  it('runs reloads one after the other', async () => {
    const { relay } = await loopback.relay(config());
    const port = await freePort();
    const names = ['a', 'b', 'c', 'd'];
    await Promise.all(
      names.map((name) =>
        relay.reload(config(endpoint('127.0.0.1:1', { name, listen: `127.0.0.1:${String(port)}` })), name),
      ),
    );
    expect(relay.status()).to.deep.include({ configHash: 'd', ready: true });
    expect(relay.status().endpoints.map(({ name }) => name)).to.deep.equal(['d']);
  });
});

describe('relay, a port in use', () => {
  it('serves the other endpoints, and logs both conflicting ones with the remedy, once', async () => {
    const clock = new FakeClock();
    const port = String(await freePort());
    const remote = await loopback.greeter('hi');
    const { relay, lines } = await loopback.relay(
      config(
        endpoint(remote, { name: 'v6', listen: `[::]:${port}` }),
        endpoint(remote, { name: 'v4', listen: `0.0.0.0:${port}` }),
      ),
      { clock },
    );
    expect(await loopback.greeting(`127.0.0.1:${port}`)).to.equal('hi');
    expect(statusOf(relay, 'v4').sockets).to.deep.equal([
      { protocol: 'TCP', address: `0.0.0.0:${port}`, bound: false, reason: 'AddressInUse' },
    ]);
    expect(statusOf(relay, 'v4').message)
      .to.contain('"v4" (0.0.0.0:')
      .and.to.contain('"v6" ([::]:')
      .and.to.contain('set ipv6_only to true on "v6"');
    await retried(clock, relay, 'v4');
    const told = lines.filter(({ level, msg }) => level === 'error' && msg === 'bind failed, retrying');
    expect(told).to.have.length(1);
    expect(told[0]).to.deep.include({
      endpoint: 'v4',
      reason: 'AddressInUse',
      problem: statusOf(relay, 'v4').message,
    });
  });

  it('retries with backoff, and serves once the port is free', async () => {
    const clock = new FakeClock();
    const foreign = await loopback.tcpServer(() => undefined);
    const { port } = foreign.address() as { port: number };
    const { relay, lines } = await loopback.relay(
      config(endpoint(await loopback.greeter('hi'), { listen: `127.0.0.1:${String(port)}` })),
      { clock },
    );
    expect(statusOf(relay).message).to.match(/this relay itself listens there, .*: choose another port$/);
    await closed(foreign);
    await eventually('the bind', () => {
      clock.advance(30_000);
      return statusOf(relay).ready;
    });
    expect(await loopback.greeting(`127.0.0.1:${String(port)}`)).to.equal('hi');
    expect(lines.at(-1)?.msg).to.not.equal('bind failed, retrying');
    expect(lines.find(({ msg }) => msg === 'listening again')).to.deep.include({ endpoint: 'web' });
    expect(statusOf(relay)).to.deep.include({ message: '', ready: true });
  });

  it('hands the port over at once when the other endpoint of a conflict is removed', async () => {
    const port = String(await freePort());
    const [a, b] = [await loopback.greeter('a'), await loopback.greeter('b')];
    const listen = `127.0.0.1:${port}`;
    const { relay } = await loopback.relay(
      config(endpoint(a, { name: 'a', listen }), endpoint(b, { name: 'b', listen })),
    );
    expect(await loopback.greeting(listen)).to.equal('a');
    await relay.reload(config(endpoint(b, { name: 'b', listen })));
    expect(await loopback.greeting(listen)).to.equal('b');
    expect(relay.status().ready).to.be.true;
  });

  const refusals = [
    {
      listen: '192.0.2.1:80',
      reason: 'AddressNotAvailable',
      message: 'this machine does not have that address',
    },
    {
      listen: '[fe80::1]:80',
      reason: 'AddressNotAvailable',
      message:
        'write [fe80::1%IFACE]:80, where IFACE is the interface that "ip address" lists for it, or set listen_interface',
    },
    { listen: 'nowhere.test:80', reason: 'NameNotFound', message: 'the name has no address' },
  ];
  for (const { listen, reason, message } of refusals) {
    it(`reports ${reason} for ${listen}`, async () => {
      const lookup = (): Promise<string[]> =>
        Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));
      const { relay } = await loopback.relay(config(endpoint('127.0.0.1:1', { listen })), { lookup });
      expect(statusOf(relay).sockets[0]?.reason).to.equal(reason);
      expect(statusOf(relay).message).to.contain(listen).and.to.contain(message);
    });
  }
});

describe('relay, drain', () => {
  it('is not ready at once, stops accepting, and waits for connections to end', async () => {
    const { relay } = await loopback.relay(config(endpoint(await loopback.echo())));
    const listen = listenOf(relay);
    const client = await loopback.client(listen);
    expect(await loopback.exchange(client, 'x')).to.equal('x');
    const drained = relay.drain(10_000);
    expect(relay.status()).to.deep.include({ ready: false, draining: true });
    expect(await failure(loopback.dial(listen))).to.equal('ECONNREFUSED');
    expect(await loopback.exchange(client, 'y')).to.equal('y');
    client.end();
    expect(await drained).to.deep.equal({ ended: 1, cut: 0 });
  });

  it('cuts and counts what is open at the deadline', async () => {
    const clock = new FakeClock();
    const { relay, lines } = await loopback.relay(config(endpoint(await loopback.echo())), { clock });
    const client = await loopback.client(listenOf(relay));
    expect(await loopback.exchange(client, 'x')).to.equal('x');
    const [drained, failed] = [relay.drain(5000), failure(client)];
    clock.advance(5000);
    expect(await drained).to.deep.equal({ ended: 0, cut: 1 });
    expect(await failed).to.equal('ECONNRESET');
    expect(lines.find(({ msg }) => msg === 'connection failed')).to.deep.include({ side: 'relay' });
  });

  it('ends at once if it is closed meanwhile', async () => {
    const { relay } = await loopback.relay(config(endpoint(await loopback.echo())));
    const client = await loopback.client(listenOf(relay));
    expect(await loopback.exchange(client, 'x')).to.equal('x');
    const drained = relay.drain(60_000);
    await relay.close();
    expect(await drained).to.deep.equal({ ended: 0, cut: 1 });
  });

  it('rejects a new configuration', async () => {
    const { relay } = await loopback.relay(config());
    await relay.drain(0);
    const error = await relay.reload(config(endpoint('127.0.0.1:1'))).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(ReloadError);
  });

  it('leaves no socket open', async () => {
    const before = openSockets();
    const { relay } = await loopback.relay(config(endpoint('127.0.0.1:1', {}, { use_udp: true })));
    expect(split(listenOf(relay)).port).to.be.above(0);
    await relay.close();
    await eventually('as before', () => openSockets() <= before);
  });
});

/** Lets a bind of `name` be tried again. */
async function retried(clock: FakeClock, relay: RelayServer, name: string): Promise<void> {
  for (let tries = 0; tries < 3; tries += 1) {
    await eventually('a retry', () => clock.timers > 0);
    clock.advance(30_000);
  }
  expect(statusOf(relay, name).ready).to.be.false;
}
