import { existsSync, readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { endpoint, failure } from '../loopback.ts';
import type { RelayProcess } from '../relay-process.ts';
import {
  fail,
  faultPath,
  loopback,
  makeFolder,
  served,
  servedByAll,
  start,
  web,
  workersOf,
} from './relay-with-workers.ts';

beforeEach(makeFolder);
afterEach(() => loopback.closeAll());

/** How many descriptors the relay has open. */
function descriptorsOf({ pid }: RelayProcess): number {
  return readdirSync(`/proc/${String(pid)}/fd`).length;
}

/** The relay once it has replaced a worker. */
async function replaced(relay: RelayProcess): Promise<void> {
  await relay.logged('worker started');
  expect((await workersOf(relay)).replaced).to.equal(1);
}

describe('relay, workers that fail', () => {
  for (const [fault, why] of [
    ['exception', 'a fault of the test'],
    ['memory', 'ERR_WORKER_OUT_OF_MEMORY'],
    ['exit', 'exit code 3'],
  ] as const) {
    it(`are replaced, and lose only their own connections: ${fault}`, async () => {
      const relay = await start([endpoint(await loopback.echo())]);
      const { listen } = await web(relay);
      const before = descriptorsOf(relay);
      const clients = await servedByAll(relay);
      const victim = (await workersOf(relay)).running.find(({ thread }) => thread > 0);
      const lost: Socket[] = [];
      for (const client of clients) client.once('error', () => lost.push(client));
      fail(victim?.thread ?? 0, fault);
      const line = await relay.logged('worker failed, starting a replacement');
      expect(line).to.include({ worker: victim?.thread, connections: victim?.load });
      expect(JSON.stringify(line['err'])).to.include(why);
      await replaced(relay);
      await eventually('its connections', () => lost.length === victim?.load);
      const kept = clients.filter((each) => !lost.includes(each));
      for (const client of kept) expect(await loopback.exchange(client, 'still here')).to.equal('still here');
      await eventually('its counts given back', async () => {
        const { connections, health } = await web(relay);
        return connections.active === kept.length && health.TCP[0]?.active === kept.length;
      });
      expect((await web(relay)).connections).to.deep.include({
        total: clients.length,
        failed: { client: 0, upstream: 0, relay: lost.length },
      });
      for (const client of clients) client.destroy();
      await eventually('its descriptors closed', () => descriptorsOf(relay) <= before);
      await servedByAll(relay); // by the replacement, too
      await served(listen);
      const [error] = (await relay.status()).recentErrors;
      expect(error).to.include({ endpoint: '', side: 'relay', reason: 'WorkerFailed' });
    });
  }

  it('give their place to the next client at a connection limit', async () => {
    const relay = await start([endpoint(await loopback.echo(), {}, { max_connections: 2 })]);
    const { listen } = await web(relay);
    await served(listen);
    await served(listen); // one in each thread
    const waiting = await loopback.client(listen);
    await eventually('one that waits', async () => (await web(relay)).waiting === 1);
    const answer = loopback.exchange(waiting, 'freed');
    const victim = (await workersOf(relay)).running.find(({ thread }) => thread > 0);
    expect(victim?.load).to.equal(1);
    fail(victim?.thread ?? 0, 'exception');
    expect(await answer).to.equal('freed');
    expect((await web(relay)).connections.active).to.equal(2);
  });

  it('leave clients to the main thread until they are replaced', async () => {
    const relay = await start([endpoint(await loopback.echo())]);
    const { listen } = await web(relay);
    const [victim] = (await workersOf(relay)).running.filter(({ thread }) => thread > 0);
    fail(victim?.thread ?? 0, 'exit');
    await relay.logged('worker failed, starting a replacement');
    for (let i = 0; i < 10; i += 1) await served(listen);
  });

  it('are stopped at the deadline of a drain if they hang', async () => {
    const relay = await start([endpoint(await loopback.echo())], ['--drain-seconds', '0']);
    const clients = await servedByAll(relay);
    const failures = Promise.all(clients.map(failure));
    const [hung] = (await workersOf(relay)).running.filter(({ thread }) => thread > 0);
    fail(hung?.thread ?? 0, 'hang');
    await eventually('the fault', () => !existsSync(faultPath()));
    relay.kill('SIGTERM');
    expect(await relay.ended).to.equal(0);
    for (const code of await failures) expect(code).to.equal('ECONNRESET');
  });
});
