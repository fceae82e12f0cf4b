import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { config, datagram, endpoint, listenOf, Loopback, noIdleSweep, split, statusOf } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const onlyUdp = { ...noIdleSweep, no_tcp: true, use_udp: true };

describe('relay, UDP', () => {
  for (const bytes of [0, 1, 1500, 65_507]) {
    it(`carries datagrams of ${String(bytes)} bytes, both ways`, async () => {
      const { relay } = await loopback.relay(config(endpoint(await loopback.udpEcho(), {}, onlyUdp)));
      const sent = randomBytes(bytes);
      const client = await loopback.udp();
      const answer = datagram(client);
      const { host, port } = split(listenOf(relay));
      client.send(sent, port, host);
      expect((await answer).equals(sent)).to.be.true;
    });
  }

  it('serves IPv4 and IPv6 of one port from different remotes, with ipv6_only', async () => {
    const port = String(await freePort());
    const { relay } = await loopback.relay(
      config(
        endpoint(
          await loopback.udpEcho('six ', '::1'),
          { name: 'v6', listen: `[::]:${port}` },
          { ...onlyUdp, ipv6_only: true },
        ),
        endpoint(await loopback.udpEcho('four '), { name: 'v4', listen: `0.0.0.0:${port}` }, onlyUdp),
      ),
    );
    expect(relay.status().ready).to.be.true;
    expect(await loopback.exchangeDatagram(await loopback.udp('::1'), `[::1]:${port}`, 'x')).to.equal(
      'six x',
    );
    expect(await loopback.exchangeDatagram(await loopback.udp(), `127.0.0.1:${port}`, 'x')).to.equal(
      'four x',
    );
  });

  it('serves both families on one wildcard socket, whatever the family of the remote', async () => {
    const { relay } = await loopback.relay(
      config(endpoint(await loopback.udpEcho('six ', '::1'), { listen: '[::]:0' }, onlyUdp)),
    );
    const { port } = split(listenOf(relay));
    expect(await loopback.exchangeDatagram(await loopback.udp(), `127.0.0.1:${String(port)}`, 'x')).to.equal(
      'six x',
    );
    expect(await loopback.exchangeDatagram(await loopback.udp('::1'), `[::1]:${String(port)}`, 'y')).to.equal(
      'six y',
    );
  });

  it('refuses a second socket on one port as TCP does, and names both endpoints', async () => {
    const port = String(await freePort());
    const remote = await loopback.udpEcho();
    const { relay } = await loopback.relay(
      config(
        endpoint(remote, { name: 'v6', listen: `[::]:${port}` }, onlyUdp),
        endpoint(remote, { name: 'v4', listen: `0.0.0.0:${port}` }, onlyUdp),
      ),
    );
    expect(statusOf(relay, 'v6').ready).to.be.true;
    expect(statusOf(relay, 'v4')).to.deep.include({ ready: false, families: [] });
    expect(statusOf(relay, 'v4').message)
      .to.contain('"v4"')
      .and.to.contain('"v6"')
      .and.to.contain('ipv6_only to true');
  });

  it('gives each client an association of its own', async () => {
    const seen = new Set<number>();
    const remote = await loopback.udp('127.0.0.1', (message, from, self) => {
      seen.add(from.port);
      self.send(message, from.port, from.address);
    });
    const { relay } = await loopback.relay(
      config(endpoint(`127.0.0.1:${String(remote.address().port)}`, {}, onlyUdp)),
    );
    const [first, second] = [await loopback.udp(), await loopback.udp()];
    expect(await loopback.exchangeDatagram(first, listenOf(relay), 'one')).to.equal('one');
    expect(await loopback.exchangeDatagram(second, listenOf(relay), 'two')).to.equal('two');
    expect(await loopback.exchangeDatagram(first, listenOf(relay), 'one more')).to.equal('one more');
    expect(seen.size).to.equal(2);
    expect(statusOf(relay).associations).to.deep.include({ active: 2, total: 2, fromClientBytes: 14 });
  });

  it('passes on only what its remote sends', async () => {
    let association = 0;
    const remote = await loopback.udp('127.0.0.1', (message, from, self) => {
      association = from.port;
      self.send(message, from.port, from.address);
    });
    const { relay } = await loopback.relay(
      config(endpoint(`127.0.0.1:${String(remote.address().port)}`, {}, onlyUdp)),
    );
    const client = await loopback.udp();
    await loopback.exchangeDatagram(client, listenOf(relay), 'hello');
    const got: string[] = [];
    client.on('message', (message) => got.push(message.toString()));
    const stranger = await loopback.udp();
    await new Promise((resolve) => {
      stranger.send('intruder', association, '127.0.0.1', resolve);
    });
    remote.send('from the remote', association, '127.0.0.1');
    await eventually('the remote’s', () => got.length > 0);
    expect(got).to.deep.equal(['from the remote']);
  });

  it('ends an association after udp_timeout without a datagram from either side', async () => {
    const clock = new FakeClock();
    let reply: (text: string) => void = () => undefined;
    const remote = await loopback.udp('127.0.0.1', (message, from, self) => {
      reply = (text) => {
        self.send(text, from.port, from.address);
      };
      reply(message.toString());
    });
    const { relay, lines } = await loopback.relay(
      config(endpoint(`127.0.0.1:${String(remote.address().port)}`, {}, { ...onlyUdp, udp_timeout: 10 })),
      { clock },
    );
    const client = await loopback.udp();
    await loopback.exchangeDatagram(client, listenOf(relay), 'one');
    clock.advance(9000);
    await loopback.exchangeDatagram(client, listenOf(relay), 'the client refreshes it');
    clock.advance(9000);
    const fromRemote = datagram(client);
    reply('so does the remote');
    await fromRemote;
    clock.advance(9999);
    expect(statusOf(relay).associations.active).to.equal(1);
    clock.advance(1);
    expect(statusOf(relay).associations.active).to.equal(0);
    const line = lines.find(({ msg }) => msg === 'association closed');
    expect(line).to.deep.include({
      endpoint: 'web',
      level: 'info',
      durationMs: 28_000,
      fromClientBytes: 26,
      fromUpstreamBytes: 44,
    });
    expect(clock.timers).to.equal(0);
  });

  it('never ends an idle association with udp_timeout 0', async () => {
    const clock = new FakeClock();
    const { relay } = await loopback.relay(
      config(endpoint(await loopback.udpEcho(), {}, { ...onlyUdp, udp_timeout: 0 })),
      { clock },
    );
    await loopback.exchangeDatagram(await loopback.udp(), listenOf(relay), 'x');
    clock.advance(1e9);
    expect(statusOf(relay).associations.active).to.equal(1);
  });

  it('balances associations over the remotes', async () => {
    const [a, b] = [await loopback.udpEcho('a'), await loopback.udpEcho('b')];
    const { relay } = await loopback.relay(
      config(endpoint(a, { extra_remotes: [b], balance: 'roundrobin: 1, 1' }, onlyUdp)),
    );
    const answers = [];
    for (let i = 0; i < 4; i += 1)
      answers.push(await loopback.exchangeDatagram(await loopback.udp(), listenOf(relay), ''));
    expect(answers).to.deep.equal(['a', 'b', 'a', 'b']);
  });

  it('tries the next remote when one refuses, with the datagram that was refused', async () => {
    const refused = `127.0.0.1:${String(await freePort())}`;
    const { relay } = await loopback.relay(
      config(endpoint(refused, { extra_remotes: [await loopback.udpEcho('second ')] }, onlyUdp)),
    );
    expect(await loopback.exchangeDatagram(await loopback.udp(), listenOf(relay), 'x')).to.equal('second x');
  });

  it('logs and counts an association whose every remote refused, and stays ready', async () => {
    const clock = new FakeClock();
    const port = await freePort();
    const { relay, lines } = await loopback.relay(
      config(endpoint(`127.0.0.1:${String(port)}`, {}, onlyUdp)),
      { clock },
    );
    const client = await loopback.udp();
    const { host, port: listen } = split(listenOf(relay));
    for (let i = 0; i < 20; i += 1) client.send('x', listen, host);
    await eventually('the datagrams', () => statusOf(relay).associations.fromClientBytes === 20);
    await eventually('the refusal', () => {
      clock.advance(30_000);
      return lines.find(({ msg }) => msg === 'association failed');
    });
    expect(statusOf(relay).associations.failed.upstream).to.equal(1);
    expect(relay.status().ready).to.be.true;
  });

  it('holds datagrams while the name of a remote is looked up', async () => {
    const remote = split(await loopback.udpEcho());
    const { promise, resolve } = Promise.withResolvers<string[]>();
    const { relay } = await loopback.relay(
      config(endpoint(`late.test:${String(remote.port)}`, {}, onlyUdp)),
      { lookup: () => promise },
    );
    const client = await loopback.udp();
    const answer = loopback.exchangeDatagram(client, listenOf(relay), 'early');
    await eventually('it', () => statusOf(relay).associations.fromClientBytes === 5);
    resolve([remote.host]);
    expect(await answer).to.equal('early');
  });

  it('holds a whole first burst until there is a socket to the remote, in order', async () => {
    const texts: string[] = [];
    const remote = await loopback.udp('127.0.0.1', (message) => texts.push(message.toString()));
    const { promise, resolve } = Promise.withResolvers<string[]>();
    const { relay } = await loopback.relay(
      config(endpoint(`late.test:${String(remote.address().port)}`, {}, onlyUdp)),
      { lookup: () => promise },
    );
    const client = await loopback.udp();
    const { host, port } = split(listenOf(relay));
    const burst = Array.from({ length: 200 }, (_, index) => `datagram ${String(index)}`);
    for (const text of burst) {
      const { promise: sent, resolve: onSent } = Promise.withResolvers<unknown>();
      client.send(text, port, host, onSent);
      await sent;
    }
    await eventually('it', () => statusOf(relay).associations.fromClientBytes === burst.join('').length);
    resolve(['127.0.0.1']);
    await eventually('the burst at the remote', () => texts.length === burst.length);
    expect(texts).to.deep.equal(burst);
  });

  it('ends associations with a remote that a reload removed, and keeps the others', async () => {
    const [a, b, c] = [await loopback.udpEcho('a'), await loopback.udpEcho('b'), await loopback.udpEcho('c')];
    const { relay } = await loopback.relay(
      config(endpoint(a, { extra_remotes: [b], balance: 'roundrobin: 1, 1' }, onlyUdp)),
    );
    const [first, second] = [await loopback.udp(), await loopback.udp()];
    await loopback.exchangeDatagram(first, listenOf(relay), '');
    await loopback.exchangeDatagram(second, listenOf(relay), '');
    await relay.reload(config(endpoint(c, { extra_remotes: [b] }, onlyUdp)));
    expect(statusOf(relay).associations.active).to.equal(1);
    expect(await loopback.exchangeDatagram(first, listenOf(relay), '')).to.equal('c');
    expect(await loopback.exchangeDatagram(second, listenOf(relay), '')).to.equal('b');
  });

  it('serves its clients and no new ones while it drains', async () => {
    const clock = new FakeClock();
    const { relay } = await loopback.relay(config(endpoint(await loopback.udpEcho(), {}, onlyUdp)), {
      clock,
    });
    const listen = listenOf(relay);
    const client = await loopback.udp();
    await loopback.exchangeDatagram(client, listen, 'x');
    const drained = relay.drain(10_000);
    await loopback.exchangeDatagram(client, listen, 'still served');
    const { host, port } = split(listen);
    (await loopback.udp()).send('new', port, host);
    await loopback.exchangeDatagram(client, listen, 'behind it');
    expect(statusOf(relay).associations.total).to.equal(1);
    clock.advance(2000);
    expect(await drained).to.deep.equal({ ended: 1, cut: 0 });
  });
});
