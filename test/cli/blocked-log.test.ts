import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { Loopback } from '../relay/loopback.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { endpoint, realmRelay } from '../support/realm-relays.ts';

const sources = join(import.meta.dirname, '..', '..', 'src');
const loopback = new Loopback();
let folder: string;

beforeEach(() => {
  folder = loopback.folder();
});
afterEach(() => loopback.closeAll());

function start(argv: readonly string[], stdio: StdioOptions): ChildProcess {
  const child = spawn(process.execPath, argv, { stdio });
  loopback.onClose(() => {
    child.kill('SIGKILL');
  });
  return child;
}

function devFull(): number {
  const fd = openSync('/dev/full', 'w');
  loopback.onClose(() => {
    closeSync(fd);
  });
  return fd;
}

async function get(port: number, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${String(port)}${path}`)).text();
}

async function dropped(port: number, metric: string): Promise<number> {
  const [, count] = new RegExp(`^${metric} (\\d+)$`, 'm').exec(await get(port, '/metrics')) ?? [];
  return Number(count);
}

/** A kubeconfig for an API server that is not there. */
function kubeconfig(): string {
  const path = join(folder, 'kubeconfig');
  const config = {
    clusters: [{ name: 'a', cluster: { server: 'http://127.0.0.1:1' } }],
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    users: [{ name: 'a', user: {} }],
    'current-context': 'a',
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await ended).to.deep.equal([0, null]);
}

const ways: readonly {
  readonly title: string;
  readonly stdio: () => StdioOptions;
  readonly then?: (child: ChildProcess) => void;
}[] = [
  { title: 'nobody reads its output', stdio: () => ['ignore', 'pipe', 'pipe'] },
  {
    title: 'its output is closed',
    stdio: () => ['ignore', 'pipe', 'pipe'],
    then: ({ stdout, stderr }) => {
      stdout?.destroy();
      stderr?.destroy();
    },
  },
  { title: 'its output is a full disk', stdio: () => ['ignore', devFull(), devFull()] },
];

describe('standalone', () => {
  for (const { title, stdio, then } of ways) {
    it(`serves and follows its manifests while ${title}`, async () => {
      const [listen, next, admin] = [await freePort(), await freePort(), await freePort()];
      const [, remotePort] = (await loopback.greeter('hi')).split(':');
      const write = (port: number): void => {
        const remotes = [{ address: '127.0.0.1', port: Number(remotePort) }];
        const manifest = realmRelay([endpoint({ address: '127.0.0.1', port, remotes })]);
        writeFileSync(join(folder, '.new'), JSON.stringify(manifest));
        renameSync(join(folder, '.new'), join(folder, 'relay.yaml'));
      };
      const serves = (port: number): Promise<string> => loopback.greeting(`127.0.0.1:${String(port)}`);
      write(listen);
      const own = ['standalone', '-f', folder, '--admin', `127.0.0.1:${String(admin)}`];
      const child = start([join(sources, 'cli', 'main.ts'), ...own], stdio());
      await eventually('its start', () => get(admin, '/livez'));
      then?.(child);
      await eventually('lines without a place', async () => {
        await Promise.all(Array.from({ length: 200 }, () => serves(listen)));
        return (await dropped(admin, 'realm_relay_log_lines_dropped_total')) > 0;
      });
      write(next);
      await eventually('the change', () => serves(next));
      await stop(child);
    });
  }
});

describe('operator', () => {
  it('works, and counts the lines that its full disk does not take', async () => {
    const admin = await freePort();
    const address = `127.0.0.1:${String(admin)}`;
    const own = ['operator', '--kubeconfig', kubeconfig(), '--admin', address, '--log-level=debug'];
    const child = start([join(sources, 'cli', 'main.ts'), ...own], ['ignore', devFull(), devFull()]);
    await eventually(
      'lines without a place',
      async () => (await dropped(admin, 'realm_operator_log_lines_dropped_total')) > 0,
    );
    expect(await get(admin, '/livez')).to.equal('ok\n');
    await stop(child);
  });
});

describe('log rotation', () => {
  const programs = {
    standalone: (port: number) => {
      writeFileSync(
        join(folder, 'relay.yaml'),
        JSON.stringify(realmRelay([endpoint({ address: '127.0.0.1', port })])),
      );
      return ['standalone', '-f', join(folder, 'relay.yaml'), '--admin=off'];
    },
    operator: () => ['operator', '--kubeconfig', kubeconfig(), '--admin=off'],
  };
  for (const [name, argv] of Object.entries(programs)) {
    it(`leaves a renamed file at SIGHUP: ${name}`, async () => {
      const log = join(folder, 'log');
      const own = [...argv(await freePort()), '--log-output', log];
      const child = start([join(sources, 'cli', 'main.ts'), ...own], ['ignore', 'ignore', 'inherit']);
      const includes = (path: string, message: string) => () => readFileSync(path, 'utf8').includes(message);
      await eventually('its start', includes(log, '"msg"'));
      renameSync(log, `${log}.1`);
      child.kill('SIGHUP');
      await eventually('the new file', includes(log, 'log file opened again'));
      await stop(child);
    });
  }
});

describe('program', () => {
  /** A program that fills its standard error if `isFull`, and then fails. */
  function failing(isFull: boolean): readonly string[] {
    const program = JSON.stringify(join(sources, 'telemetry', 'program.ts'));
    const outputs = JSON.stringify(join(sources, 'telemetry', 'log-outputs.ts'));
    const code = `import { runProgram } from ${program};
import { logOutput } from ${outputs};
setInterval(() => undefined, 1000);
setImmediate(() => {
  if (${String(isFull)}) for (let i = 0; i < 10_000; i += 1) logOutput('stderr').write('x'.repeat(99) + '\\n');
  null.missing();
});
await runProgram(() => new Promise(() => undefined));`;
    return ['--input-type=module', '-e', code];
  }

  it('prints an uncaught exception to standard error, and exits with 1', async () => {
    const child = start(failing(false), ['ignore', 'ignore', 'pipe']);
    const ended = once(child, 'exit');
    if (child.stderr === null) throw new Error('no standard error');
    expect(await text(child.stderr)).to.match(/^TypeError: .*null.*\n {4}at /);
    expect(await ended).to.deep.equal([1, null]);
  });

  it('exits with 1 after an uncaught exception if nobody reads standard error', async () => {
    const child = start(failing(true), ['ignore', 'ignore', 'pipe']);
    expect(await once(child, 'exit')).to.deep.equal([1, null]);
  });
});
