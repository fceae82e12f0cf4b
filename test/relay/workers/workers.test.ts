import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { bundle } from '../../../tools/build.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { endpoint, failure } from '../loopback.ts';
import { RelayProcess, waysToRun } from '../relay-process.ts';
import {
  loopback,
  makeFolder,
  served,
  servedByAll,
  start,
  web,
  workersOf,
  write,
} from './relay-with-workers.ts';

beforeEach(makeFolder);
afterEach(() => loopback.closeAll());

describe('relay, workers', () => {
  it('share the connections, and appear as one relay in status and metrics', async () => {
    const relay = await start([endpoint(await loopback.echo())], ['--workers', '3']);
    const clients = await servedByAll(relay);
    const { running, replaced } = await workersOf(relay);
    expect(running.map(({ thread }) => thread)).to.deep.equal([0, 1, 2]); // the main thread serves, too
    expect(replaced).to.equal(0);
    expect(running.reduce((sum, { load }) => sum + load, 0)).to.equal(clients.length);
    const { connections, health } = await web(relay);
    const count = String(clients.length);
    expect(connections).to.deep.include({
      active: clients.length,
      total: clients.length,
      fromClientBytes: clients.length,
      fromUpstreamBytes: clients.length,
    });
    expect(health.TCP[0]).to.deep.include({ healthy: true, active: clients.length });
    expect((await relay.get('/metrics')).body.split('\n'))
      .to.include(`realm_relay_connections_active{endpoint="web"} ${count}`)
      .and.to.include('realm_relay_workers 3')
      .and.to.include('realm_relay_workers_replaced_total 0');
    expect((await relay.get('/readyz')).status).to.equal(200);
  });

  it('are not used by default', async () => {
    const relay = await start([endpoint(await loopback.echo())], ['--workers', '1']);
    expect(await relay.status()).to.not.have.property('workers');
    expect((await relay.get('/metrics')).body.split('\n')).to.include('realm_relay_workers 1');
  });

  it('are not used with the engine node, which says so', async () => {
    const relay = await start([endpoint(await loopback.echo())], ['--engine', 'node']);
    const line = await relay.logged('this engine serves with one thread, use --engine kernel for more');
    expect(line).to.include({ level: 'warn', workers: 2, engine: 'node' });
    expect(await relay.status()).to.not.have.property('workers');
    await served((await web(relay)).listen);
  });

  it('serve as many of 200 connections each, one process for the system', async () => {
    const relay = await start([endpoint(await loopback.echo())], ['--workers', '4']);
    const { listen } = await web(relay);
    await Promise.all(Array.from({ length: 200 }, () => served(listen)));
    const loads = (await workersOf(relay)).running.map(({ load }) => load);
    expect(loads).to.deep.equal([50, 50, 50, 50]);
    expect(spawnSync('pgrep', ['-P', String(relay.pid)], { encoding: 'utf8' }).stdout).to.equal('');
  });

  it('take 15 MiB of memory each at most, the first one, too', async () => {
    const folder = loopback.folder();
    await bundle({ write: true, folder });
    const residentMiB = async (workers: string): Promise<number> => {
      const argv = ['-l', '127.0.0.1:0', '-r', '127.0.0.1:1', '--admin', 'off', '--workers', workers];
      const relay = spawn(process.execPath, [join(folder, 'realm.js'), ...argv]);
      loopback.onClose(() => void relay.kill('SIGKILL'));
      for await (const line of createInterface({ input: relay.stdout }))
        if (line.includes('relay started')) break;
      const status = readFileSync(`/proc/${String(relay.pid)}/status`, 'utf8');
      return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]) / 1024;
    };
    const [one, two, five] = [await residentMiB('1'), await residentMiB('2'), await residentMiB('5')];
    expect(two - one, 'the first').to.be.below(15);
    expect((five - two) / 3, 'each further one').to.be.below(15);
  });

  it('lose no connection and refuse no client while the configuration changes', async () => {
    const remotes = [await loopback.greeter('a'), await loopback.greeter('b')];
    const relay = await start([endpoint(remotes[0] ?? '')]);
    const { listen } = await web(relay);
    let isOver = false;
    const answers: string[] = [];
    const knock = async (): Promise<void> => {
      while (!isOver) answers.push(await loopback.greeting(listen));
    };
    const knocking = [knock(), knock(), knock()];
    const knocked = async (): Promise<void> => {
      const before = answers.length;
      await eventually('clients of each time', () => answers.length >= before + 3, { intervalMs: 1 });
    };
    for (let i = 1; i <= 10; i += 1) {
      const more = endpoint('127.0.0.1:1', { name: `more${String(i)}` });
      write([endpoint(remotes[i % 2] ?? ''), more]);
      await eventually('the change', async () => (await relay.status()).endpoints[1]?.name === more.name);
      expect(await loopback.greeting(listen)).to.equal(i % 2 === 0 ? 'a' : 'b');
      await knocked();
    }
    isOver = true;
    await Promise.all(knocking);
    expect(answers.filter((answer) => answer !== 'a' && answer !== 'b')).to.deep.equal([]);
    expect((await web(relay)).connections.failed).to.deep.equal({ client: 0, upstream: 0, relay: 0 });
  });

  it('roll a change back together', async () => {
    const port = await freePort();
    await loopback.tcpServer(() => undefined, '127.0.0.1', port);
    const remote = await loopback.echo('::1');
    const listen = `[::]:${String(port)}`;
    const relay = await start([endpoint(remote, { listen }, { ipv6_only: true })]);
    const client = await served(`[::1]:${String(port)}`);
    write([endpoint(remote, { listen })]);
    const line = await relay.logged('configuration rejected, keeping the previous one');
    expect(JSON.stringify(line['err'])).to.contain('rolled back');
    expect(await web(relay)).to.deep.include({ ready: true, families: ['IPv6'] });
    expect(await loopback.exchange(client, 'still here')).to.equal('still here');
    await served(`[::1]:${String(port)}`);
  });

  it('close the port of an endpoint that is removed, and its connections go on', async () => {
    const remote = await loopback.echo();
    const relay = await start([endpoint(remote)]);
    const { listen } = await web(relay);
    const clients = await servedByAll(relay);
    write([endpoint(remote, { name: 'new', listen: '[::1]:0' })]);
    await relay.logged('configuration applied');
    expect(await failure(loopback.dial(listen))).to.equal('ECONNREFUSED');
    for (const client of clients) expect(await loopback.exchange(client, 'on')).to.equal('on');
  });

  it('log their connections as one relay does', async () => {
    const dead = `127.0.0.1:${String(await freePort())}`;
    const relay = await start([endpoint(dead)]);
    const { listen } = await web(relay);
    for (let i = 0; i < 4; i += 1) expect(await failure(loopback.dial(listen))).to.equal('ECONNRESET');
    const lines = await eventually('all lines', () => {
      const failed = relay.lines.filter(({ msg }) => msg === 'connection failed');
      return failed.length === 4 && failed;
    });
    for (const line of lines) {
      expect(line).to.include({ level: 'warn', endpoint: 'web', side: 'upstream', upstream: dead });
      expect(line['err']).to.include({ type: 'DialError', code: 'REALM_DIAL_FAILED' });
    }
    const [error] = (await relay.status()).recentErrors;
    expect(error).to.include({ endpoint: 'web', side: 'upstream', reason: 'ECONNREFUSED', count: 4 });
  });
});

describe('relay, workers, stopping', () => {
  for (const { title, wrapper, skip } of waysToRun) {
    (skip ? describe.skip : describe)(title, () => {
      it('drain together, and exit with 0', async () => {
        const relay = await start([endpoint(await loopback.echo())], ['--drain-seconds', '600'], wrapper);
        const { listen } = await web(relay);
        const clients = await servedByAll(relay);
        process.kill(relay.wrappedPid, 'SIGTERM');
        expect(await relay.logged('no longer accepting connections')).to.include({
          connections: clients.length,
        });
        expect(await failure(loopback.dial(listen))).to.equal('ECONNREFUSED');
        expect(await relay.get('/readyz')).to.deep.equal({ status: 503, body: 'draining\n' });
        for (const client of clients) {
          expect(await loopback.exchange(client, 'on')).to.equal('on');
          client.end();
        }
        expect(await relay.ended).to.equal(0);
        expect(await relay.logged('relay stopped')).to.include({ ended: clients.length, cut: 0 });
      });

      it('end at once at a second signal', async () => {
        const relay = await start([endpoint(await loopback.echo())], ['--drain-lag-seconds', '600'], wrapper);
        const clients = await servedByAll(relay);
        const pid = relay.wrappedPid;
        process.kill(pid, 'SIGTERM');
        await relay.logged('draining');
        const failures = Promise.all(clients.map(failure));
        process.kill(pid, 'SIGTERM');
        for (const code of await failures) expect(code).to.equal('ECONNRESET');
        expect(await relay.ended).to.equal(0);
        expect(await relay.logged('relay stopped')).to.include({ ended: 0, cut: clients.length });
      });
    });
  }

  it('end if the relay cannot listen at the address that --admin gives', async () => {
    const foreign = await loopback.tcpServer(() => undefined);
    const { port } = foreign.address() as AddressInfo;
    const argv = ['-l', '127.0.0.1:0', '-r', 'a:1', '--workers', '2', '--admin', `127.0.0.1:${String(port)}`];
    const relay = new RelayProcess(argv);
    loopback.onClose(() => relay.end());
    expect(await relay.ended).to.equal(1);
    expect(relay.stderr).to.match(/^the admin server cannot listen on 127\.0\.0\.1 port \d+/);
  });
});
