import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import type { RealmDocument, RealmEndpoint } from '../../src/config/realm-document.ts';
import { version } from '../../src/lib/version.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { endpoint, failure, Loopback, received } from './loopback.ts';
import { RelayProcess, replaceConfig, waysToRun } from './relay-process.ts';

const loopback = new Loopback();
let folder: string;
let path: string;

beforeEach(() => {
  folder = loopback.folder();
  path = join(folder, 'config.json');
});
afterEach(() => loopback.closeAll());

function start(argv: readonly string[], wrapper?: readonly string[]): RelayProcess {
  const process = new RelayProcess(argv, wrapper);
  loopback.onClose(() => process.end());
  return process;
}

/** Writes the file and starts the relay from it. */
function startWith(
  endpoints: readonly RealmEndpoint[],
  argv: readonly string[] = [],
  wrapper?: readonly string[],
): RelayProcess {
  replaceConfig(path, { endpoints });
  return start(['-c', path, '--admin', '127.0.0.1:0', ...argv], wrapper);
}

async function listenOf(relay: RelayProcess): Promise<string> {
  const { endpoints } = await relay.status();
  return endpoints[0]?.listen ?? '';
}

async function greeting(address: string): Promise<string> {
  return received(await loopback.client(address));
}

describe('relay program', () => {
  it('follows its file: a valid change is applied, a wrong one is logged and changes nothing', async () => {
    const echo = await loopback.echo();
    const relay = startWith([endpoint(echo)]);
    const listen = await listenOf(relay);
    const client = await loopback.client(listen);
    expect(await loopback.exchange(client, 'one')).to.equal('one');

    replaceConfig(path, '{"endpoints": [{"listen": "nowhere"}]}');
    const refused = await relay.logged('configuration rejected, keeping the previous one');
    expect(refused).to.deep.include({ level: 'error', source: path });
    expect(JSON.stringify(refused['err'])).to.contain('endpoints[0].listen: has no port');
    expect((await relay.status()).configProblem).to.contain('endpoints[0].remote: is missing');
    expect(await loopback.exchange(client, 'two')).to.equal('two');

    const hash = replaceConfig(path, {
      log: { level: 'debug' },
      endpoints: [endpoint(await loopback.greeter('new'))],
    });
    await eventually('the new configuration', async () => (await relay.status()).configHash === hash);
    expect(await listenOf(relay)).to.equal(listen);
    expect(await greeting(listen)).to.equal('new');
    expect(await loopback.exchange(client, 'three')).to.equal('three');
    expect((await relay.status()).configProblem).to.equal('');
  });

  it("follows a ConfigMap's folder", async () => {
    const mount = (name: string, document: RealmDocument): void => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'config.json'), JSON.stringify(document));
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    mount('..one', { endpoints: [endpoint(await loopback.greeter('one'))] });
    symlinkSync('..data/config.json', path);
    const relay = start(['-c', path, '--admin', '127.0.0.1:0']);
    const listen = await listenOf(relay);
    expect(await greeting(listen)).to.equal('one');
    mount('..two', { endpoints: [endpoint(await loopback.greeter('two'))] });
    await relay.logged('configuration applied');
    expect(await greeting(listen)).to.equal('two');
  });

  it('starts although its port is in use, reports that, and serves once the port is free', async () => {
    const foreign = await loopback.tcpServer(() => undefined);
    const { port } = foreign.address() as { port: number };
    const relay = startWith([
      endpoint(await loopback.greeter('hi'), { listen: `127.0.0.1:${String(port)}` }),
    ]);
    expect((await relay.get('/readyz')).status).to.equal(503);
    expect((await relay.get('/livez')).status).to.equal(200);
    foreign.close();
    await relay.logged('listening again');
    await eventually('readiness', async () => (await relay.get('/readyz')).status === 200);
    expect(await greeting(`127.0.0.1:${String(port)}`)).to.equal('hi');
  });

  it('relays from -l to -r, with -u and -6', async () => {
    const port = String(await freePort());
    const relay = start([
      '-l',
      `[::]:${port}`,
      '-r',
      await loopback.greeter('hi'),
      '-u',
      '-6',
      '--admin',
      '127.0.0.1:0',
    ]);
    const { endpoints } = await relay.status();
    expect(endpoints[0]).to.deep.include({ families: ['IPv6'], protocols: ['TCP', 'UDP'], ready: true });
    expect(await greeting(`[::1]:${port}`)).to.equal('hi');
    expect(await failure(loopback.dial(`127.0.0.1:${port}`))).to.equal('ECONNREFUSED');
  });

  it('exits with 1 if -l can bind nothing', async () => {
    const foreign = await loopback.tcpServer(() => undefined);
    const { port } = foreign.address() as { port: number };
    const relay = start(['-l', `127.0.0.1:${String(port)}`, '-r', 'a:1', '--admin', 'off']);
    expect(await relay.ended).to.equal(1);
    expect((await relay.logged('bind failed, retrying'))['reason']).to.equal('AddressInUse');
  });

  it('exits with 1 if it cannot listen at the address that --admin gives', async () => {
    const foreign = await loopback.tcpServer(() => undefined);
    const { port } = foreign.address() as { port: number };
    const relay = start(['-l', '127.0.0.1:0', '-r', 'a:1', '--admin', `127.0.0.1:${String(port)}`]);
    expect(await relay.ended).to.equal(1);
    expect(relay.stderr).to.match(
      /^the admin server cannot listen on 127\.0\.0\.1 port \d+ \(.*EADDRINUSE.*\)\n$/,
    );
  });

  const wrong = [
    {
      argv: ['-c', '/nowhere/config.json'],
      code: 1,
      stderr: /^\/nowhere\/config\.json: there is no such file/,
    },
    {
      argv: ['-l', 'x', '-r', 'y:0'],
      code: 1,
      stderr: /^command line: endpoints\[0\]\.listen: has no port.*\n.*remote/,
    },
    { argv: ['--nothing'], code: 2, stderr: /^--nothing: unknown flag/ },
    { argv: [], code: 2, stderr: /^no configuration: .*\nUsage: / },
  ];
  for (const { argv, code, stderr } of wrong) {
    it(`exits with ${String(code)} for "${argv.join(' ')}"`, async () => {
      const relay = start(argv);
      expect(await relay.ended).to.equal(code);
      expect(relay.stderr).to.match(stderr).and.to.not.contain('    at ');
      expect(relay.lines).to.deep.equal([]);
    });
  }

  it('prints every problem of its file, and exits with 1', async () => {
    replaceConfig(path, '{"endpoints": [{"listen": "x"}]}');
    const relay = start(['-c', path]);
    expect(await relay.ended).to.equal(1);
    expect(relay.stderr.trim().split('\n')).to.have.length(2);
  });

  it('prints version and help', async () => {
    const relay = start(['--version']);
    expect(await relay.ended).to.equal(0);
    expect(relay.lines.map(({ msg }) => msg)).to.deep.equal([`realm-operator ${version}`]);
    const help = start(['--help']);
    expect(await help.ended).to.equal(0);
    expect(help.lines[0]?.msg).to.equal('Usage: realm-operator relay -c PATH');
  });

  it('warns of keys and flags without effect, and runs', async () => {
    replaceConfig(path, '{"endpoints": [], "netwrk": {}}');
    const relay = start(['-c', path, '--admin', '127.0.0.1:0', '--tfo']);
    expect(await relay.logged('configuration warning')).to.deep.include({ level: 'warn', source: path });
    expect(await relay.logged('flag has no effect')).to.deep.include({ flag: '--tfo' });
    expect((await relay.get('/readyz')).status).to.equal(200);
  });
});

describe('relay program, stopping', () => {
  for (const { title, wrapper, skip } of waysToRun) {
    (skip ? describe.skip : describe)(title, () => {
      async function connected(
        argv: string[],
      ): Promise<{ relay: RelayProcess; pid: number; client: Socket; listen: string }> {
        const relay = startWith([endpoint(await loopback.echo())], argv, wrapper);
        const listen = await listenOf(relay);
        const client = await loopback.client(listen);
        expect(await loopback.exchange(client, 'x')).to.equal('x');
        return { relay, pid: relay.wrappedPid, client, listen };
      }

      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        it(`${signal}: stops accepting, lets the connection end, and exits with 0`, async () => {
          const { relay, pid, client, listen } = await connected(['--drain-seconds', '600']);
          process.kill(pid, signal);
          expect(await relay.logged('draining')).to.deep.include({ signal, drainSeconds: 600 });
          await relay.logged('no longer accepting connections');
          expect(await failure(loopback.dial(listen))).to.equal('ECONNREFUSED');
          expect(await relay.get('/readyz')).to.deep.equal({ status: 503, body: 'draining\n' });
          expect(await loopback.exchange(client, 'still here')).to.equal('still here');
          client.end();
          expect(await relay.ended).to.equal(0);
          expect(await relay.logged('relay stopped')).to.deep.include({ ended: 1, cut: 0 });
        });
      }

      it('is not ready at once, and accepts connections during the drain lag', async () => {
        const { relay, pid, listen } = await connected(['--drain-lag-seconds', '600']);
        process.kill(pid, 'SIGTERM');
        expect(await relay.logged('draining')).to.deep.include({ drainLagSeconds: 600 });
        expect(await relay.get('/readyz')).to.deep.equal({ status: 503, body: 'draining\n' });
        const late = await loopback.client(listen);
        expect(await loopback.exchange(late, 'late')).to.equal('late');
      });

      it('stops accepting after the drain lag, and lets the connection end', async () => {
        const { relay, pid, client, listen } = await connected([
          '--drain-lag-seconds',
          '1',
          '--drain-seconds',
          '600',
        ]);
        process.kill(pid, 'SIGTERM');
        await relay.logged('no longer accepting connections');
        expect(await failure(loopback.dial(listen))).to.equal('ECONNREFUSED');
        expect(await loopback.exchange(client, 'still here')).to.equal('still here');
        client.end();
        expect(await relay.ended).to.equal(0);
        expect(await relay.logged('relay stopped')).to.deep.include({ ended: 1, cut: 0 });
      });

      it('ends at once at a second signal during the drain lag', async () => {
        const { relay, pid, client } = await connected(['--drain-lag-seconds', '600']);
        process.kill(pid, 'SIGTERM');
        await relay.logged('draining');
        process.kill(pid, 'SIGTERM');
        expect(await failure(client)).to.equal('ECONNRESET');
        expect(await relay.ended).to.equal(0);
        expect(await relay.logged('relay stopped')).to.deep.include({ ended: 0, cut: 1 });
      });

      it('cuts what is open at the deadline, and logs how many', async () => {
        const { relay, pid, client } = await connected(['--drain-seconds', '0']);
        process.kill(pid, 'SIGTERM');
        expect(await failure(client)).to.equal('ECONNRESET');
        expect(await relay.ended).to.equal(0);
        expect(await relay.logged('relay stopped')).to.deep.include({ ended: 0, cut: 1 });
      });

      it('ends at once at a second signal', async () => {
        const { relay, pid, client } = await connected([]);
        process.kill(pid, 'SIGTERM');
        await relay.logged('draining');
        process.kill(pid, 'SIGTERM');
        expect(await failure(client)).to.equal('ECONNRESET');
        expect(await relay.ended).to.equal(0);
        expect(await relay.logged('relay stopped')).to.deep.include({ ended: 0, cut: 1 });
      });

      it('ends with 0 even if signals arrive until its last moment', async () => {
        const { relay, pid } = await connected(['--drain-seconds', '0']);
        let code: number | string | undefined;
        void relay.ended.then((ended) => (code = ended));
        while (code === undefined) {
          for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) sendSignal(pid, signal);
          await nextTurn();
        }
        expect(code).to.equal(0);
      });
    });
  }
});

/** Signals a process that may have ended. */
function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
