import { join } from 'node:path';
import { expect } from 'chai';
import type { RealmEndpoint } from '../../src/config/realm-document.ts';
import { eventually } from '../support/eventually.ts';
import { Carrier } from './carrier.ts';
import { endpoint, Loopback, received } from './loopback.ts';
import { RelayProcess, replaceConfig } from './relay-process.ts';

const loopback = new Loopback();
let path: string;

beforeEach(() => {
  path = join(loopback.folder(), 'config.json');
});
afterEach(() => loopback.closeAll());

function write(endpoints: readonly RealmEndpoint[]): string {
  return replaceConfig(path, { endpoints });
}

describe('relay program, reload', () => {
  it('SIGHUP applies a changed file at once', async () => {
    const remotes = [await loopback.greeter('a'), await loopback.greeter('b')];
    write([endpoint(remotes[0] ?? '')]);
    const relay = new RelayProcess(['-c', path, '--admin', '127.0.0.1:0']);
    loopback.onClose(() => relay.end());
    const { configHash, endpoints } = await relay.status();
    const hash = write([endpoint(remotes[1] ?? '')]);
    relay.kill('SIGHUP');
    await eventually('the new one', async () => (await relay.status()).configHash === hash);
    expect(configHash).to.not.equal(hash);
    expect(await loopback.greeting(endpoints[0]?.listen ?? '')).to.equal('b');
  });

  it('loses no connection and refuses no client in 1,000 reloads, with 200 connections that carry data and a new one at each reload', async () => {
    const remotes = [await loopback.echo(), await loopback.echo('::1')];
    /** Another order of remotes, balance, limits and timeouts each time, and another endpoint beside it. */
    const document = (number: number): RealmEndpoint[] => {
      const [remote = '', other = ''] = number % 2 === 0 ? remotes : remotes.toReversed();
      const balance = ['off', 'roundrobin: 2, 1', 'iphash: 1, 1'][number % 3] ?? '';
      const limits = { max_connections: (number % 4) * 1000, tcp_timeout: 5 + (number % 5) };
      const beside = endpoint(
        '127.0.0.1:1',
        { name: `beside${String(number)}`, listen: number % 2 === 0 ? '127.0.0.1:0' : '[::1]:0' },
        { use_udp: number % 3 === 0 },
      );
      return [endpoint(remote, { extra_remotes: [other], balance }, limits), beside];
    };
    write(document(0));
    const relay = new RelayProcess(['-c', path, '--admin', '127.0.0.1:0']);
    loopback.onClose(() => relay.end());
    const listen = (await relay.status()).endpoints[0]?.listen ?? '';
    const carriers: Carrier[] = [];
    for (let i = 0; i < 200; i += 1) carriers.push(new Carrier(await loopback.client(listen)));
    const knocks: Promise<string>[] = [];
    const knock = async (): Promise<string> => {
      const client = loopback.dial(listen);
      client.end('knock');
      return received(client).catch(String); // rejects with the error of its socket
    };
    for (let number = 1; number <= 1000; number += 1) {
      const hash = write(document(number));
      knocks.push(knock());
      for (let i = 0; i < 20; i += 1) carriers[(number * 20 + i) % carriers.length]?.carry();
      relay.kill('SIGHUP');
      const taken = (): boolean =>
        relay.lines.findLast(({ msg }) => msg === 'configuration applied')?.['configHash'] === hash;
      await eventually(`reload ${String(number)}`, taken, { intervalMs: 1 });
    }

    const outcomes = await Promise.all(knocks);
    expect(outcomes.filter((outcome) => outcome !== 'knock')).to.deep.equal([]);
    const whole = await Promise.all(carriers.map((carrier) => carrier.end()));
    expect(whole.filter((isWhole) => !isWhole)).to.have.length(0);
    await eventually('the end', async () => (await relay.status()).endpoints[0]?.connections.active === 0);
    expect((await relay.status()).endpoints[0]?.connections).to.deep.include({
      total: 200 + 1000,
      failed: { client: 0, upstream: 0, relay: 0 },
    });
    expect(relay.lines.filter(({ msg }) => msg === 'configuration applied')).to.have.length(1000);
  });
});
