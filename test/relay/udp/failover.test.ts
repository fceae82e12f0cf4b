import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { freePort } from '../../support/free-port.ts';
import { config, endpoint, statusOf } from '../loopback.ts';
import { Client, loopback, onlyUdp, received, Server, started } from './peers.ts';

afterEach(() => loopback.closeAll());

const name = 'remote.test';

describe('relay, UDP, addresses and remotes in turn', () => {
  it('serves from the next address of a name if one refuses, with the datagram that was refused', async () => {
    const server = await Server.start('four');
    const { client, relay } = await started([`${name}:${String(server.port)}`], {
      [name]: ['::1', '127.0.0.1'],
    });
    const one = await client();
    expect(await one.ask('a')).to.equal('four a');
    expect(await one.ask('b')).to.equal('four b');
    expect(new Set(server.ports).size).to.equal(1);
    expect(statusOf(relay).health.UDP[0]).to.deep.include({ healthy: true, failed: 0 });
  });

  it('serves from the next remote once the first was silent for 400 ms and the client sends again', async () => {
    const [silent, second] = [await Server.start('first'), await Server.start('second')];
    silent.isAnswering = false;
    const { client, clock, relay, lines } = await started([silent.address, second.address]);
    const one = await client();
    await one.send('a');
    await one.send('b');
    await received(silent, 2);
    clock.advance(400);
    expect(await one.ask('c'), 'the retry is served').to.equal('second c');
    expect(await one.ask('d')).to.equal('second d');
    expect(silent.texts).to.deep.equal(['a', 'b']);
    expect(second.texts, 'nothing is sent twice').to.deep.equal(['c', 'd']);
    expect(await (await client()).ask('e'), 'a new client does not wait').to.equal('second e');
    const [first] = statusOf(relay).health.UDP;
    expect(first).to.deep.include({ healthy: false, reason: 'DialFailed', failed: 1, active: 0 });
    expect(lines.find(({ msg }) => msg === 'remote ejected')?.['err']).to.include({
      code: 'REALM_REMOTE_SILENT',
    });
  });

  it('serves from the next address of a name if one is silent, and new clients at once', async () => {
    const silent = await Server.start('silent');
    const other = await Server.start('other', { host: '127.0.0.2', port: silent.port });
    silent.isAnswering = false;
    const { client, clock, relay } = await started([`${name}:${String(silent.port)}`], {
      [name]: ['127.0.0.1', '127.0.0.2'],
    });
    const one = await client();
    await one.send('a');
    await received(silent, 1);
    clock.advance(400);
    expect(await one.ask('b')).to.equal('other b');
    expect(await (await client()).ask('c')).to.equal('other c');
    expect(silent.texts).to.deep.equal(['a']);
    expect(other.texts).to.deep.equal(['b', 'c']);
    expect(statusOf(relay).health.UDP[0]).to.deep.include({ healthy: true });
    clock.advance(60_000);
    await (await client()).send('d');
    await received(silent, 2); // a minute later the address has its place back
  });

  it('takes an answer that comes late, and stays', async () => {
    const [late, second] = [await Server.start('first'), await Server.start('second')];
    late.isAnswering = second.isAnswering = false;
    const { client, clock } = await started([late.address, second.address]);
    const one = await client();
    await one.send('a');
    await received(late, 1);
    clock.advance(400);
    await one.send('b');
    await received(second, 1);
    late.socket?.send('late', late.ports[0] ?? 0, '127.0.0.1');
    await eventually('the answer', () => one.answers.includes('late'));
    await one.send('c');
    await received(late, 2);
    expect([late.texts, second.texts]).to.deep.equal([['a', 'c'], ['b']]);
    expect(new Set(late.ports).size).to.equal(1);
  });

  it('a protocol without answers stays with the first remote, and with its source port, after one round', async () => {
    const [first, second] = [await Server.start('first'), await Server.start('second')];
    first.isAnswering = second.isAnswering = false;
    const { client, clock, relay } = await started([first.address, second.address]);
    const one = await client();
    for (let half = 0; half < 140; half += 1) {
      await one.send(String(half));
      clock.advance(400);
    }
    await eventually('all', () => first.texts.length + second.texts.length === 140, { intervalMs: 1 });
    expect(second.texts).to.deep.equal(['1']);
    expect(new Set(first.ports).size).to.equal(1);
    expect(statusOf(relay).health.UDP.map(({ state }) => state)).to.deep.equal(['unknown', 'unknown']);
    for (let half = 0; half < 20; half += 1) {
      await one.send(`later ${String(half)}`);
      clock.advance(400);
    }
    await eventually('all', () => first.texts.length + second.texts.length === 160, { intervalMs: 1 });
    expect(second.texts, 'one more after a minute').to.have.length(2);
    clock.advance(30_000);
    expect(statusOf(relay).associations).to.deep.include({ active: 0 });
    expect(statusOf(relay).associations.failed.upstream).to.equal(0);
  });

  it('a remote that comes up while all are silent is found', async () => {
    const [first, second] = [await Server.start('first'), await Server.start('second')];
    first.isAnswering = second.isAnswering = false;
    const { client, clock } = await started([first.address, second.address]);
    const one = await client();
    for (let half = 0; half < 4; half += 1) {
      await one.send(String(half));
      clock.advance(400);
    }
    second.isAnswering = true;
    for (let i = 0; i < 3; i += 1) {
      await one.send('x');
      clock.advance(20_000);
    }
    expect(await one.ask('y')).to.equal('second y');
  });

  it('leaves a remote that has answered once it was silent for udp_timeout, and no sooner', async () => {
    const [first, second] = [await Server.start('first'), await Server.start('second')];
    const { client, clock } = await started([first.address, second.address]);
    const one = await client();
    await one.ask('a');
    first.isAnswering = false;
    await one.send('b');
    clock.advance(20_000);
    await one.send('c');
    clock.advance(9999);
    await one.send('d');
    await received(first, 4);
    clock.advance(1);
    expect(await one.ask('e')).to.equal('second e');
  });
});

describe('relay, UDP, names that move', () => {
  it('serves a client again with its second datagram without an answer', async () => {
    const old = await Server.start('old');
    const moved = await Server.start('new', { host: '127.0.0.2', port: old.port });
    const names: Record<string, readonly string[]> = { [name]: ['127.0.0.1'] };
    const { client, clock } = await started([`${name}:${String(old.port)}`], names);
    const one = await client();
    await one.ask('a');
    names[name] = ['127.0.0.2'];
    old.isAnswering = false;
    clock.advance(1000);
    await one.send('b');
    clock.advance(1000);
    expect(await one.ask('c')).to.equal('new c');
    expect(await one.ask('d')).to.equal('new d');
    expect(old.texts).to.deep.equal(['a', 'b', 'c']);
    expect(moved.texts).to.deep.equal(['c', 'd']);
  });

  it('serves a client whose remote has never answered, too', async () => {
    const old = await Server.start('old');
    const moved = await Server.start('new', { host: '127.0.0.2', port: old.port });
    old.isAnswering = false;
    const names: Record<string, readonly string[]> = { [name]: ['127.0.0.1'] };
    const { client, clock } = await started([`${name}:${String(old.port)}`], names);
    const one = await client();
    await one.send('a');
    await received(old, 1);
    names[name] = ['127.0.0.2'];
    clock.advance(400);
    expect(await one.ask('b')).to.equal('new b');
    expect(moved.texts).to.deep.equal(['b']);
  });

  it('moves nothing and looks up ever less often while a silent name keeps its address', async () => {
    const server = await Server.start('server');
    let lookups = 0;
    const clock = new FakeClock();
    const { relay } = await loopback.relay(
      config(endpoint(`${name}:${String(server.port)}`, { network: { ...onlyUdp, udp_timeout: 0 } })),
      {
        clock,
        lookup: () => {
          lookups += 1;
          return Promise.resolve(['127.0.0.1']);
        },
      },
    );
    const one = new Client(relay, await loopback.udp());
    await one.ask('first');
    server.isAnswering = false;
    for (let half = 0; half < 129; half += 1) {
      await one.send('x');
      clock.advance(400);
    }
    await received(server, 130);
    expect(new Set(server.ports).size).to.equal(1);
    expect(lookups, 'the wait doubles from 0.4 s to 30 s').to.be.within(6, 10);
    server.isAnswering = true;
    await one.ask('back');
  });

  it('goes on at its address while the name cannot be looked up', async () => {
    const server = await Server.start('server');
    const names: Record<string, readonly string[]> = { [name]: ['127.0.0.1'] };
    const { client, clock } = await started([`${name}:${String(server.port)}`], names);
    const one = await client();
    await one.ask('a');
    names[name] = [];
    server.isAnswering = false;
    await one.send('b');
    clock.advance(600);
    await one.send('c');
    server.isAnswering = true;
    expect(await one.ask('d')).to.equal('server d');
    expect(new Set(server.ports).size).to.equal(1);
  });
});

describe('relay, UDP, errors', () => {
  for (const { why, remotes, names } of [
    { why: 'one address', remotes: (port: number) => [`127.0.0.1:${String(port)}`], names: {} },
    {
      why: 'a name whose other address refuses',
      remotes: (port: number) => [`${name}:${String(port)}`],
      names: { [name]: ['::1', '127.0.0.1'] },
    },
  ]) {
    it(`an association keeps its source port when its remote is away for a datagram: ${why}`, async () => {
      const server = await Server.start('server');
      const { client, relay, clock } = await started(remotes(server.port), names);
      const one = await client();
      await one.ask('a');
      await one.ask('b');
      await server.close();
      await one.send('lost');
      await eventually('the refusal', () => statusOf(relay).health.UDP[0]?.healthy === false);
      await server.listen('server');
      expect(await one.ask('c')).to.equal('server c');
      const [port = 0] = server.ports;
      expect(server.ports).to.deep.equal([port, port, port]);
      server.socket?.send('unasked', port, '127.0.0.1');
      await eventually('what it sends to the port that it knows', () => one.answers.includes('unasked'));
      expect(statusOf(relay).health.UDP[0]).to.deep.include({ healthy: true });
      clock.advance(30_000);
      expect(statusOf(relay).associations).to.deep.include({ active: 0, total: 1 });
      expect(statusOf(relay).associations.failed.upstream).to.equal(0);
    });
  }

  it('an association whose remote refuses in the middle moves to the next with the next datagram', async () => {
    const [first, second] = [await Server.start('first'), await Server.start('second')];
    const { client, relay } = await started([first.address, second.address]);
    const one = await client();
    await one.ask('a');
    await first.close();
    await one.send('lost');
    await eventually('the refusal', () => statusOf(relay).health.UDP[0]?.healthy === false);
    expect(await one.ask('b')).to.equal('second b');
    expect(statusOf(relay).health.UDP.map(({ active }) => active)).to.deep.equal([0, 1]);
  });

  it('tries all remotes no more than once in 400 ms while all of them refuse', async () => {
    const [one, two] = [await freePort(), await freePort()];
    const { client, clock, relay } = await started([`127.0.0.1:${String(one)}`, `127.0.0.1:${String(two)}`]);
    const sender = await client();
    for (let i = 0; i < 20; i += 1) await sender.send(String(i));
    await eventually('both', () => statusOf(relay).health.UDP.every(({ failed }) => failed > 0));
    const dials = (): number => statusOf(relay).health.UDP.reduce((sum, each) => sum + each.dials, 0);
    expect(dials()).to.equal(2);
    clock.advance(400);
    await sender.send('again');
    await eventually('a second round', () => dials() === 3);
    const server = new Server();
    await server.listen('up', '127.0.0.1', one);
    expect(await sender.ask('z')).to.equal('up z');
  });
});
