import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
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
    expect(running).to.have.length(3);
    expect(replaced).to.equal(0);
    expect(running.reduce((sum, { load }) => sum + load, 0)).to.equal(clients.length);
    expect(running.map(({ pid }) => pid)).to.not.include(relay.pid);
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
    expect(spawnSync('pgrep', ['-P', String(relay.pid)], { encoding: 'utf8' }).stdout).to.equal('');
  });

  it('report a port in use, and serve once it is free', async () => {
    const foreign = await loopback.tcpServer(() => undefined);
    const listen = `127.0.0.1:${String((foreign.address() as AddressInfo).port)}`;
    const relay = await start([endpoint(await loopback.echo(), { listen })]);
    expect((await web(relay)).sockets[0]).to.deep.include({ bound: false, reason: 'AddressInUse' });
    foreign.close();
    await relay.logged('listening again');
    await served(listen);
  });

  it('report a conflict that shows only when both sockets listen', async () => {
    const port = String(await freePort());
    const remote = await loopback.echo();
    const endpoints = [
      endpoint(remote, { name: 'a', listen: `127.0.0.1:${port}` }),
      endpoint(remote, { name: 'b', listen: `localhost:${port}` }), // is bound beside it, which no plan foresees
    ];
    const relay = await start(endpoints, ['--dns-mode', 'ipv4_only']);
    const sockets = (await relay.status()).endpoints.flatMap((each) => each.sockets);
    expect(sockets.map(({ reason }) => reason).toSorted()).to.deep.equal(['', 'AddressInUse']);
    await served(`127.0.0.1:${port}`);
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

  it('keep serving when one is killed, and lose only its connections', async () => {
    const relay = await start([endpoint(await loopback.echo())]);
    const { listen } = await web(relay);
    const clients = await servedByAll(relay);
    const [victim] = (await workersOf(relay)).running;
    const lost: Socket[] = [];
    for (const client of clients) client.once('close', () => lost.push(client));
    for (const client of clients) client.resume().once('end', () => client.destroy());
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    await served(listen); // by the neighbour
    const { running, replaced } = await eventually('another worker', async () => {
      const workers = await workersOf(relay);
      return workers.running.length === 2 && workers.replaced === 1 && workers;
    });
    expect(replaced).to.equal(1);
    expect(running.map(({ pid }) => pid)).to.not.include(victim?.pid);
    await eventually('its connections', () => lost.length === victim?.load);
    for (const client of clients.filter((each) => !lost.includes(each))) {
      expect(await loopback.exchange(client, 'still here')).to.equal('still here');
    }
    await eventually('clients in the new one', async () => {
      await served(listen);
      return (await workersOf(relay)).running.every(({ load }) => load > 0);
    });
    expect((await web(relay)).connections.total).to.be.greaterThan(clients.length);
    expect(await relay.logged('worker exited, starting a replacement')).to.include({ how: 'SIGKILL' });
  });

  it('serve clients that arrived while every worker was gone', async () => {
    const relay = await start([endpoint(await loopback.echo())]);
    const { listen } = await web(relay);
    const pids = (await workersOf(relay)).running.map(({ pid }) => pid);
    for (const pid of pids) process.kill(pid, 'SIGSTOP'); // so that nobody accepts
    const clients = await Promise.all(Array.from({ length: 20 }, () => loopback.client(listen)));
    const answers = clients.map((client) => loopback.exchange(client, 'waited'));
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    for (const answer of answers) expect(await answer).to.equal('waited');
  });

  it('end with their parent', async () => {
    const relay = await start([endpoint(await loopback.echo())]);
    const clients = await servedByAll(relay);
    const pids = (await workersOf(relay)).running.map(({ pid }) => pid);
    relay.kill('SIGKILL');
    expect(await relay.ended).to.equal('SIGKILL');
    await eventually('their end', () => pids.every((pid) => !existsSync(`/proc/${String(pid)}`)));
    for (const client of clients) client.destroy();
  });
});

describe('relay, workers, stopping', () => {
  for (const { title, wrapper, skip } of waysToRun) {
    (skip ? describe.skip : describe)(title, () => {
      it('drain together, and exit with 0', async () => {
        const relay = await start([endpoint(await loopback.echo())], [], wrapper);
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

  it('ignore a signal that their parent does not receive', async () => {
    const relay = await start([endpoint(await loopback.echo())]);
    const clients = await servedByAll(relay);
    for (const { pid } of (await workersOf(relay)).running) process.kill(pid, 'SIGTERM');
    for (const client of clients) expect(await loopback.exchange(client, 'on')).to.equal('on');
    expect((await workersOf(relay)).replaced).to.equal(0);
  });

  it('are killed at the deadline if one hangs', async () => {
    const relay = await start([endpoint(await loopback.echo())], ['--drain-seconds', '0']);
    await servedByAll(relay);
    const [hung] = (await workersOf(relay)).running;
    process.kill(hung?.pid ?? 0, 'SIGSTOP');
    relay.kill('SIGTERM');
    await relay.logged('draining');
    relay.kill('SIGTERM');
    expect(await relay.ended).to.equal(0);
    expect(existsSync(`/proc/${String(hung?.pid)}`)).to.equal(false);
  });
});
