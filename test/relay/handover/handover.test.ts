import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { spawn } from 'node:child_process';
import { expect } from 'chai';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import { bundle } from '../../../tools/build.ts';
import { eventually } from '../../support/eventually.ts';
import { Carrier } from '../carrier.ts';
import { testEngine } from '../engines.ts';
import { endpoint, failure, Loopback, received, type LogLine } from '../loopback.ts';
import { RelayProcess, replaceConfig, waysToRun } from '../relay-process.ts';

const loopback = new Loopback();
let path: string;

beforeEach(() => {
  path = join(loopback.folder(), 'config.json');
});
afterEach(() => loopback.closeAll());

/** A relay, and whatever process serves in its place after upgrades. */
class Relay {
  readonly process: RelayProcess;
  /** Of the process that serves. */
  pid: number;
  #upgrades = 0;

  constructor(argv: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    this.process = new RelayProcess(['-c', path, '--admin', '127.0.0.1:0', ...argv], [], env);
    this.pid = this.process.pid;
    loopback.onClose(async () => {
      endProcess(this.pid);
      await this.process.end();
    });
  }

  lines(msg: string): LogLine[] {
    return this.process.lines.filter((line) => line.msg === msg);
  }

  /** Upgrades, and waits until the successor serves. */
  async upgrade(): Promise<void> {
    this.#upgrades += 1;
    process.kill(this.pid, 'SIGUSR2');
    this.pid = Number((await this.logged(handedOver, this.#upgrades))['successor']);
  }

  /** Waits for the line `msg` to be logged for the `count`th time. */
  logged(msg: string, count = 1): Promise<LogLine> {
    return eventually(`"${msg}" ${String(count)} times`, () => this.lines(msg)[count - 1]);
  }
}

const handedOver = 'another process serves new clients, finishing open connections';
const refused = 'upgrade failed, this process goes on';

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // has ended
  }
}

function write(...endpoints: readonly RealmEndpoint[]): void {
  replaceConfig(path, { endpoints });
}

async function started(relay: Relay): Promise<string[]> {
  const { endpoints } = await relay.process.status();
  return endpoints.map(({ listen }) => listen);
}

describe('upgrade of a relay', () => {
  it('refuses no client and cuts no connection in two upgrades, with clients of both families all the time', async () => {
    write(
      endpoint(await loopback.echo(), { name: 'v4' }),
      endpoint(await loopback.echo('::1'), { name: 'v6', listen: '[::1]:0' }, { ipv6_only: true }),
    );
    const relay = new Relay();
    const listens = await started(relay);
    const carriers: Carrier[] = [];
    for (let i = 0; i < 20; i += 1)
      carriers.push(new Carrier(await loopback.client(listens[i % listens.length] ?? '')));
    const outcomes = new Map<string, number>();
    let isOver = false;
    const knock = async (listen: string): Promise<void> => {
      while (!isOver) {
        const client = loopback.dial(listen);
        client.end('knock');
        const outcome = await received(client).catch(String);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        for (const carrier of carriers) carrier.carry();
      }
    };
    const knocking = listens.map(knock);
    for (let upgrade = 0; upgrade < 2; upgrade += 1) await relay.upgrade();
    isOver = true;
    await Promise.all(knocking);
    expect([...outcomes.keys()]).to.deep.equal(['knock']);
    expect(await Promise.all(carriers.map((carrier) => carrier.end()))).to.not.include(false);
    await relay.logged('relay stopped', 2);
  });

  it('keeps the ports, those of UDP and of the admin server, too', async () => {
    write(endpoint(await loopback.udpEcho('echo '), {}, { use_udp: true, no_tcp: true }));
    const relay = new Relay();
    const [listen = ''] = await started(relay);
    await relay.upgrade();
    await relay.logged('relay started', 2);
    const [before, after] = relay.lines('relay started').map(({ admin }) => String(admin));
    expect(after).to.equal(before);
    await relay.logged('relay stopped');
    const client = await loopback.udp();
    expect(await loopback.exchangeDatagram(client, listen, 'hello')).to.equal('echo hello');
    expect((await fetch(`${String(after)}/readyz`)).status).to.equal(200);
  });

  it('is not made if the new process cannot run, and is made by the next signal', async () => {
    const remote = await loopback.greeter('hello');
    write(endpoint(remote));
    const relay = new Relay();
    const [listen = ''] = await started(relay);
    const valid = readFileSync(path, 'utf8');
    replaceConfig(path, '{');
    process.kill(relay.pid, 'SIGUSR2');
    expect((await relay.logged(refused))['problem']).to.equal('the new process ended with exit code 1');
    expect(await loopback.greeting(listen)).to.equal('hello');
    replaceConfig(path, valid);
    await relay.upgrade();
    expect(await loopback.greeting(listen)).to.equal('hello');
  });

  // The engine node serves by one thread, and an answer that is under way to a socket that it closes is lost.
  const byThreads = testEngine.name === 'kernel' ? it : it.skip;
  byThreads('hands over the UDP sockets of several workers, and loses no datagram of any', async () => {
    write(endpoint(await loopback.udpEcho('echo '), {}, { use_udp: true, no_tcp: true }));
    const relay = new Relay(['--workers', '3']);
    const [listen = ''] = await started(relay);
    const clients = await Promise.all(Array.from({ length: 24 }, () => loopback.udp()));
    const talk = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) {
        const text = `datagram ${String(i)}`;
        const answers = clients.map((client) => loopback.exchangeDatagram(client, listen, text));
        expect(await Promise.all(answers)).to.deep.equal(clients.map(() => `echo ${text}`));
      }
    };
    await talk(20); // so that workers carry them
    const state = { isUpgraded: false };
    const upgraded = relay.upgrade().finally(() => (state.isUpgraded = true));
    while (!state.isUpgraded) await talk(1);
    await upgraded;
    await talk(20);
    await relay.logged('relay stopped');
    await talk(1);
    expect(relay.lines('cannot hand over sockets, they refuse clients for a moment')).to.deep.equal([]);
  });

  it('works with several workers', async () => {
    write(endpoint(await loopback.echo()));
    const relay = new Relay(['--workers', '2']);
    const [listen = ''] = await started(relay);
    const client = await loopback.client(listen);
    await relay.upgrade();
    expect(await loopback.exchange(client, 'still here')).to.equal('still here');
    expect(await loopback.exchange(await loopback.client(listen), 'new')).to.equal('new');
    client.destroy();
    await relay.logged('relay stopped');
  });

  it('frees the ports of endpoints that are gone', async () => {
    const remote = await loopback.greeter('hello');
    write(endpoint(remote, { name: 'kept' }), endpoint(remote, { name: 'gone', listen: '[::1]:0' }));
    const relay = new Relay(['--drain-seconds', '0']);
    const [kept = '', gone = ''] = await started(relay);
    const busy = await loopback.client(kept);
    await relay.upgrade();
    write(endpoint(remote, { name: 'kept' }));
    await eventually('the port is free', async () => (await failure(loopback.dial(gone))) === 'ECONNREFUSED');
    expect(await loopback.greeting(kept)).to.equal('hello');
    busy.destroy();
  });

  it('leaves a process that a signal to stop ends after its drain time', async () => {
    write(endpoint(await loopback.echo()));
    const relay = new Relay(['--drain-seconds', '0']);
    const [listen = ''] = await started(relay);
    const client = await loopback.client(listen);
    const first = relay.pid;
    await relay.upgrade();
    expect(await loopback.exchange(client, 'still here')).to.equal('still here');
    const end = failure(client);
    process.kill(first, 'SIGTERM');
    await relay.logged('relay stopped');
    expect(await end).to.equal('ECONNRESET');
    expect(await loopback.exchange(await loopback.client(listen), 'new')).to.equal('new');
  });

  it('tells systemd which process is the main one', async () => {
    const folder = loopback.folder();
    const told = join(folder, 'told');
    writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$@" >>${told}\n`);
    chmodSync(join(folder, 'systemd-notify'), 0o755);
    write(endpoint(await loopback.greeter('hello')));
    const relay = new Relay([], {
      NOTIFY_SOCKET: '/run/systemd/notify',
      PATH: [folder, process.env['PATH']].join(delimiter),
    });
    const first = relay.pid;
    await started(relay);
    const report = (pid: number): string => `READY=1 MAINPID=${String(pid)}\n`;
    await eventually('the first report', () => readFileSync(told, 'utf8') === report(first));
    await relay.upgrade();
    const both = report(first) + report(relay.pid);
    await eventually('the second report', () => readFileSync(told, 'utf8') === both);
  });

  it('runs the new files of a package that were put in place of the old ones', async () => {
    const folder = loopback.folder();
    mkdirSync(join(folder, 'dist'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const install = async (version: string): Promise<unknown> => {
      rmSync(join(folder, 'dist'), { recursive: true });
      return bundle({ write: true, folder: join(folder, 'dist'), version });
    };
    await install('1.0.0');
    write(endpoint(await loopback.greeter('hello')));
    const program = join(folder, 'dist', 'realm.js');
    const child = spawn(process.execPath, [program, '-c', path, '--admin', 'off'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let log = '';
    child.stdout.on('data', (part: Buffer) => (log += part.toString()));
    const pids = [child.pid ?? 0];
    loopback.onClose(() => {
      pids.forEach(endProcess);
    });
    await eventually('the old one', () => log.includes('"version":"1.0.0"'));
    await install('2.0.0');
    child.kill('SIGUSR2');
    const [, successor] = await eventually(
      'the successor',
      () => /"successor":([0-9]+)/.exec(log) ?? undefined,
    );
    pids.push(Number(successor));
    await eventually('its version', () => log.includes('"version":"2.0.0"'));
  });

  const [, asFirst] = waysToRun;
  const pidOne = asFirst?.skip === true ? it.skip : it;
  pidOne(`is refused ${asFirst?.title ?? ''}, whose end would be that of the container`, async () => {
    const remote = await loopback.greeter('hello');
    write(endpoint(remote));
    const relay = new RelayProcess(['-c', path, '--admin', '127.0.0.1:0'], asFirst?.wrapper);
    loopback.onClose(() => relay.end());
    await relay.logged('relay started');
    process.kill(relay.wrappedPid, 'SIGUSR2');
    expect((await relay.logged(refused))['problem']).to.match(/replace the container$/);
    const listen = (await relay.status()).endpoints[0]?.listen;
    expect(await loopback.greeting(listen ?? '')).to.equal('hello');
  });
});
