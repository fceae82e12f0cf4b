import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { config, endpoint, openFilesFor, statusOf } from '../loopback.ts';
import { loopback, onlyUdp, received, Server, started } from './peers.ts';

afterEach(() => loopback.closeAll());

describe('relay, UDP, health checks and limits', () => {
  it('leaves an unhealthy remote at once, sessions in use and protocols without answers, too', async () => {
    const [first, second] = [await Server.start('first'), await Server.start('second')];
    const checked = await loopback.tcpServer((socket) => socket.end(), '127.0.0.1', first.port);
    await loopback.tcpServer((socket) => socket.end(), '127.0.0.1', second.port);
    const { client, clock, relay } = await started(
      [first.address, second.address],
      {},
      {
        health_check: { interval: 10, unhealthy_threshold: 1 },
      },
    );
    const [talker, sender] = [await client(), await client()];
    await talker.ask('a');
    first.isAnswering = false;
    await sender.send('b');
    await received(first, 2);
    second.isAnswering = false;
    checked.close();
    await eventually('the check', () => {
      clock.advance(10_000);
      return statusOf(relay).health.UDP[0]?.reason === 'CheckFailed';
    });
    await talker.send('c');
    await sender.send('d');
    await received(second, 2);
    for (let half = 0; half < 4; half += 1) {
      clock.advance(400);
      await sender.send('e');
    }
    await received(second, 6);
    expect(first.texts).to.deep.equal(['a', 'b']);
  });

  for (const { why, answers, expected } of [
    { why: 'answers as expected', answers: '\x01pong!', expected: 'first' },
    { why: 'answers something else', answers: 'ping', expected: 'second' },
    { why: 'is silent', answers: undefined, expected: 'second' },
  ]) {
    it(`with health_check.udp a new client gets the ${expected} remote if the first ${why}`, async () => {
      const asked: Buffer[] = [];
      const first = await loopback.udp('127.0.0.1', (datagram, { port, address }, self) => {
        if (datagram.toString() === 'x') self.send('first x', port, address);
        else {
          asked.push(datagram);
          if (answers !== undefined) self.send(answers, port, address);
        }
      });
      const second = await loopback.udp('127.0.0.1', (datagram, { port, address }, self) => {
        self.send(datagram.toString() === 'x' ? 'second x' : '\x01pong', port, address);
      });
      const remotes = [first, second].map((socket) => `127.0.0.1:${String(socket.address().port)}`);
      const health_check = { udp: { send: '\\x00p\\\\\\r\\n', expect: '\\x01pong' }, unhealthy_threshold: 1 };
      const { client, clock, relay } = await started(remotes, {}, { health_check });
      await eventually('the checks', () => {
        clock.advance(2000);
        return (
          asked.length > 1 && (statusOf(relay).health.UDP[0]?.healthy === true) === (expected === 'first')
        );
      });
      expect(asked[0]).to.deep.equal(Buffer.from('\0p\\\r\n'));
      expect(await (await client()).ask('x')).to.equal(`${expected} x`);
      expect(statusOf(relay).health.UDP[1]).to.deep.include({ healthy: true });
    });
  }

  it('does not move to a remote that a reload has removed, but to one that it has added', async () => {
    const servers = [await Server.start('a'), await Server.start('b'), await Server.start('c')];
    const [a = '', b = '', c = ''] = servers.map(({ address }) => address);
    for (const server of servers.slice(0, 2)) server.isAnswering = false;
    const { client, clock, relay } = await started([a, b]);
    const one = await client();
    await one.send('1');
    await received(servers[0] as Server, 1);
    await relay.reload(config(endpoint(a, { extra_remotes: [c], network: onlyUdp })));
    clock.advance(400);
    expect(await one.ask('2')).to.equal('c 2');
    expect(servers[1]?.texts).to.deep.equal([]);
  });

  it('leaves a silent remote with the one source port that through permits', async () => {
    const [silent, second] = [await Server.start('first'), await Server.start('second')];
    silent.isAnswering = false;
    const source = await freePort();
    const through = `127.0.0.1:${String(source)}`;
    const { client, clock } = await started([silent.address, second.address], {}, { through });
    const one = await client();
    await one.send('a');
    await received(silent, 1);
    clock.advance(400);
    expect(await one.ask('b')).to.equal('second b');
    expect([...silent.ports, ...second.ports]).to.deep.equal([source, source]);
  });

  it('a search uses one more descriptor if there is one, and returns it', async () => {
    const [silent, second] = [await Server.start('first'), await Server.start('second')];
    silent.isAnswering = second.isAnswering = false;
    const files = { openFiles: openFilesFor(1 + 2) };
    const { client, clock, relay } = await started([silent.address, second.address], {}, {}, files);
    const clients = [await client(), await client()];
    for (const each of clients) await each.send('a');
    clock.advance(400);
    for (const each of clients) await each.send('b');
    await received(silent, 4);
    expect(second.texts, 'both are in use').to.deep.equal([]);
    clock.advance(30_000);
    expect(statusOf(relay).associations.active).to.equal(0);
    for (let round = 0; round < 3; round += 1) {
      const one = await client();
      await one.send('c');
      await received(silent, 5 + round);
      clock.advance(400);
      await one.send('d');
      await received(second, 1 + round);
      clock.advance(30_000);
    }
    expect(statusOf(relay).health.UDP.map(({ active }) => active)).to.deep.equal([0, 0]);
  });
});
