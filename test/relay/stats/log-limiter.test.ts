import { expect } from 'chai';
import { LogLimiter } from '../../../src/relay/stats/log-limiter.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import {
  config,
  datagram,
  endpoint,
  failure,
  keptLog,
  listenOf,
  Loopback,
  split,
  statusOf,
} from '../loopback.ts';
import type { LogLine } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('log limiter', () => {
  function kept(level: 'info' | 'debug' = 'info'): {
    lines: LogLine[];
    clock: FakeClock;
    warnings: LogLimiter;
  } {
    const lines: LogLine[] = [];
    const log = createLogger(level, { write: (line) => lines.push(JSON.parse(line) as LogLine) });
    const clock = new FakeClock();
    return { lines, clock, warnings: new LogLimiter(log, clock, () => 'web') };
  }

  it('writes 20 warnings of each kind in ten seconds, then their number', () => {
    const { lines, clock, warnings } = kept();
    for (let i = 0; i < 5000; i += 1) {
      clock.advance(1);
      warnings.warn({ number: i }, 'it fails');
    }
    warnings.warn({}, 'so does that');
    expect(lines.map(({ msg }) => msg)).to.deep.equal([
      ...Array.from({ length: 20 }, () => 'it fails'),
      'so does that',
    ]);
    clock.advance(5001); // ten seconds after the first one
    expect(lines.at(-1)).to.deep.include({
      level: 'warn',
      msg: 'similar warnings suppressed',
      endpoint: 'web',
      message: 'it fails',
      more: 4980,
    });
    warnings.warn({}, 'it fails');
    expect(lines.at(-1)?.msg).to.equal('it fails');
    expect([lines.length, clock.timers]).to.deep.equal([23, 0]);
  });

  it('writes every warning if there are few, and leaves no timer', () => {
    const { lines, clock, warnings } = kept();
    for (let i = 0; i < 100; i += 1) {
      warnings.warn({}, 'it fails');
      clock.advance(500);
    }
    expect([lines.length, clock.timers]).to.deep.equal([100, 0]);
  });

  it('writes the number of suppressed warnings when it ends, and every warning at level debug', () => {
    const { lines, clock, warnings } = kept('debug');
    for (let i = 0; i < 30; i += 1) warnings.warn({ number: i }, 'it fails');
    expect(lines.map(({ level }) => level).join(' ')).to.equal(
      `${'warn '.repeat(20)}${'debug '.repeat(10)}`.trim(),
    );
    warnings.end();
    expect(lines.at(-1)).to.deep.include({ more: 10 });
    expect(clock.timers).to.equal(0);
  });
});

describe('relay, many clients of a remote that is down', () => {
  const count = (lines: readonly LogLine[], wanted: string, level = 'warn'): number =>
    lines.filter(({ msg, level: its }) => msg === wanted && its === level).length;

  it('logs some failures and their number, by TCP', async () => {
    const clock = new FakeClock();
    const refused = [await freePort(), await freePort()].map((port) => `127.0.0.1:${String(port)}`);
    const remotes = endpoint(refused[0] ?? '', { extra_remotes: refused.slice(1) });
    const { relay, lines } = await loopback.relay(config(remotes), { clock });
    for (let i = 0; i < 50; i += 1) await failure(loopback.dial(listenOf(relay)));
    await eventually('all of them', () => statusOf(relay).connections.failed.upstream === 50);
    expect(count(lines, 'connection failed')).to.equal(20);
    expect(count(lines, 'remote failed, trying the next')).to.equal(20);
    clock.advance(10_000);
    const more = lines.filter(({ msg }) => msg === 'similar warnings suppressed');
    expect(more.map(({ message, more: left }) => [message, left])).to.have.deep.members([
      ['connection failed', 30],
      ['remote failed, trying the next', 30],
    ]);
  });

  it('logs some failures and their number, by UDP, and serves the clients of other remotes', async () => {
    const clock = new FakeClock();
    const onlyUdp = { no_tcp: true, use_udp: true };
    const { relay, lines } = await loopback.relay(
      config(
        endpoint(`127.0.0.1:${String(await freePort())}`, { name: 'dead' }, { ...onlyUdp, udp_timeout: 1 }),
        endpoint(await loopback.udpEcho(), { name: 'alive' }, onlyUdp),
      ),
      { clock },
    );
    const send = async (name: string): Promise<void> => {
      const { host, port } = split(listenOf(relay, name));
      const client = await loopback.udp();
      const answer = name === 'alive' ? datagram(client) : undefined;
      client.send('x', port, host);
      await answer;
    };
    for (let i = 0; i < 30; i += 1) await send('dead');
    await eventually('all failed', () => statusOf(relay, 'dead').health.UDP[0]?.failed === 30);
    await send('alive');
    clock.advance(1000); // all of them are idle for too long
    expect(count(lines, 'association failed')).to.equal(20);
    clock.advance(10_000);
    expect(lines.find(({ msg }) => msg === 'similar warnings suppressed')).to.deep.include({
      endpoint: 'dead',
      more: 10,
    });
  });

  it('logs where each endpoint listens, as Realm prints it', async () => {
    const { relay, lines } = await loopback.relay(config(endpoint('127.0.0.1:1', {}, { use_udp: true })));
    const listening = lines.filter(({ msg }) => msg === 'listening');
    expect(
      listening.map(({ endpoint: name, protocol, listen }) => [name, protocol, listen]),
    ).to.have.deep.members(
      statusOf(relay).sockets.map(({ protocol, address }) => ['web', protocol, address]),
    );
  });

  it('logs every connection that ends normally', async () => {
    const { log, lines } = keptLog();
    const { relay } = await loopback.relay(config(endpoint(await loopback.greeter('hi'))), { log });
    for (let i = 0; i < 50; i += 1) await loopback.greeting(listenOf(relay));
    await eventually('every line', () => count(lines, 'connection closed', 'info') === 50);
  });
});
