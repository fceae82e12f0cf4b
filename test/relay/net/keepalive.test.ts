import { existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { config, endpoint, listenOf, Loopback, split } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/**
 * Seconds until the keepalive timer of each connection of local or remote `port` fires, as Linux lists it; NaN if
 * none runs.
 */
function keepalives(port: number, side: 'local' | 'remote'): number[] {
  const hex = port.toString(16).padStart(4, '0').toUpperCase();
  const lines = readFileSync('/proc/self/net/tcp', 'utf8').trim().split('\n').slice(1);
  return lines.flatMap((line) => {
    const [, local = '', remote = '', state, , timer = ''] = line.trim().split(/ +/);
    const isWanted = (side === 'local' ? local : remote).endsWith(`:${hex}`) && state === '01'; // established
    if (!isWanted) return [];
    const [kind, when = ''] = timer.split(':');
    return kind === '02' ? parseInt(when, 16) / 100 : NaN; // 02 = keepalive, in hundredths of a second
  });
}

describe('relay, keepalive', () => {
  if (!existsSync('/proc/self/net/tcp')) return;

  /** The keepalive timers of both sockets of the relay for one quiet connection. */
  async function quiet(tcpKeepalive: number): Promise<() => number[]> {
    const remote = await loopback.echo();
    const { relay } = await loopback.relay(config(endpoint(remote, {}, { tcp_keepalive: tcpKeepalive })));
    const client = await loopback.client(listenOf(relay));
    client.write('x');
    await once(client, 'data');
    return () => [
      ...keepalives(split(listenOf(relay)).port, 'local'),
      ...keepalives(split(remote).port, 'remote'),
    ];
  }

  it('probes a quiet peer after tcp_keepalive, on both sides', async () => {
    const timers = await quiet(700);
    await eventually('two timers', () => timers().filter((seconds) => seconds > 600).length === 2);
    expect(Math.max(...timers())).to.be.at.most(700);
  });

  it('sends no probes if tcp_keepalive is 0', async () => {
    const timers = await quiet(0);
    await eventually('both acknowledged', () => timers().length === 2 && timers().every(Number.isNaN));
  });
});
