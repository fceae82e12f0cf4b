import { type ChildProcess, spawn, spawnSync, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RelayStatus } from '../../src/relay/admin/status.ts';
import { eventually } from '../support/eventually.ts';
import { drained, makeFifo, openFifo } from '../support/fifo.ts';
import { freePort } from '../support/free-port.ts';
import { Loopback, type LogLine } from './loopback.ts';

const entry = join(import.meta.dirname, '..', '..', 'src', 'cli', 'realm.ts');
const loopback = new Loopback();
let folder: string;

beforeEach(() => {
  folder = loopback.folder();
});
afterEach(() => loopback.closeAll());

/** How a relay is started, and what to do with its standard output. */
type Start = {
  readonly stdio?: StdioOptions;
  readonly argv?: readonly string[];
  readonly nodeFlags?: readonly string[];
  readonly command?: (words: readonly string[]) => readonly string[];
};

/** A relay whose log nobody takes care of: unlike `RelayProcess` it does not read it. */
class SilentRelay {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown[]>;
  readonly #listen: string;
  readonly #admin: string;

  constructor(
    ports: readonly number[],
    remote: string,
    { stdio, argv = [], nodeFlags = [], command }: Start,
  ) {
    [this.#listen = '', this.#admin = ''] = ports.map((port) => `127.0.0.1:${String(port)}`);
    const own = ['-l', this.#listen, '-r', remote, '--admin', this.#admin, '--drain-seconds', '0'];
    const words = [process.execPath, ...nodeFlags, entry, ...own, ...argv];
    const [program = '', ...rest] = command?.(words) ?? words;
    this.child = spawn(program, rest, { stdio: stdio ?? 'ignore' });
    this.ended = once(this.child, 'exit');
  }

  async get(path: string): Promise<string> {
    const ownConnection = { headers: { connection: 'close' } }; // one that is kept may be closed as it is used again
    return (await fetch(`http://${this.#admin}${path}`, ownConnection)).text();
  }

  /** By the metrics; the status, which may be a little older, agrees. */
  async dropped(): Promise<number> {
    const [, count] = /^realm_relay_log_lines_dropped_total (\d+)$/m.exec(await this.get('/metrics')) ?? [];
    await eventually(`${String(count)} lines dropped by the status`, async () => {
      const status = JSON.parse(await this.get('/status')) as RelayStatus;
      return status.logLinesDropped >= Number(count);
    });
    return Number(count);
  }

  /** Serves clients, each a line of the log, and answers probes, until `isEnough`. */
  async serveUntil(isEnough: () => Promise<boolean> | boolean): Promise<void> {
    do {
      const clients = Array.from({ length: 200 }, () => loopback.greeting(this.#listen));
      expect(new Set(await Promise.all(clients))).to.deep.equal(new Set(['hi']));
      expect(await this.get('/livez')).to.equal('ok\n');
    } while (!(await isEnough()));
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    expect(await this.ended).to.deep.equal([0, null]);
  }
}

async function start(how: Start): Promise<SilentRelay> {
  const ports = [await freePort(), await freePort()];
  const relay = new SilentRelay(ports, await loopback.greeter('hi'), how);
  loopback.onClose(async () => {
    relay.child.kill('SIGKILL');
    await relay.ended;
  });
  await eventually('its start', () => relay.get('/livez'));
  return relay;
}

function opened(path: string, flags: number | string): number {
  const fd = openSync(path, flags);
  loopback.onClose(() => {
    closeSync(fd);
  });
  return fd;
}

/** A FIFO that the test may read. */
function fifo(name: string): number {
  const fd = openFifo(join(folder, name));
  loopback.onClose(() => {
    closeSync(fd);
  });
  return fd;
}

/** A blocking end of a pipe, as a shell gives it to its programs. */
function pipeEnd(): number {
  fifo('pipe');
  return opened(join(folder, 'pipe'), constants.O_WRONLY);
}

/** Writes to files end in a pipe that is full, and wait there as for a disk. */
function silentDisk(): string {
  fifo('disk');
  const path = join(folder, 'disk.mjs');
  const disk = JSON.stringify(join(folder, 'disk'));
  writeFileSync(
    path,
    `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module';
const pipe = fs.openSync(${disk}, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
try { for (;;) fs.writeSync(pipe, Buffer.alloc(4096)); } catch {}
const [disk, write] = [fs.openSync(${disk}, fs.constants.O_RDWR), fs.write];
fs.write = (fd, ...rest) => write(disk, ...rest);
syncBuiltinESMExports();`,
  );
  return path;
}

function linesOf(text: string): LogLine[] {
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as LogLine]));
}

function droppedIn(text: string): number {
  const reports = linesOf(text).filter(({ msg }) => msg === 'log lines dropped');
  return reports.reduce((sum, { lines }) => sum + Number(lines), 0);
}

const hasScript = spawnSync('script', ['--version']).status === 0;
const workers = ['--workers', '2'];

const cases: readonly {
  readonly log: string;
  readonly skip?: boolean;
  readonly how: () => Start;
  readonly then?: (child: ChildProcess) => void;
}[] = [
  { log: 'a socket that nobody reads', how: () => ({ stdio: ['ignore', 'pipe', 'pipe'] }) },
  {
    log: 'a socket that nobody reads, with workers',
    how: () => ({ stdio: ['ignore', 'pipe', 'pipe'], argv: workers }),
  },
  { log: 'a pipe that nobody reads', how: () => ({ stdio: ['ignore', pipeEnd(), pipeEnd()] }) },
  {
    log: 'a pipe that nobody reads, with workers',
    how: () => ({ stdio: ['ignore', pipeEnd(), pipeEnd()], argv: workers }),
  },
  {
    log: 'a pipe that was closed',
    how: () => ({ stdio: ['ignore', 'pipe', 'pipe'] }),
    then: ({ stdout, stderr }) => {
      stdout?.destroy();
      stderr?.destroy();
    },
  },
  {
    log: 'a full disk',
    how: () => ({ stdio: ['ignore', opened('/dev/full', 'w'), opened('/dev/full', 'w')] }),
  },
  { log: 'a full disk, with workers', how: () => ({ argv: [...workers, '--log-output', '/dev/full'] }) },
  {
    log: 'a disk that never answers',
    how: () => ({ nodeFlags: ['--import', silentDisk()], argv: ['--log-output', join(folder, 'log')] }),
  },
  {
    log: 'a disk that never answers, with workers',
    how: () => ({
      nodeFlags: ['--import', silentDisk()],
      argv: [...workers, '--log-output', join(folder, 'log')],
    }),
  },
  {
    log: 'a FIFO without a reader',
    how: () => {
      makeFifo(join(folder, 'log'));
      return { argv: ['--log-output', join(folder, 'log')] };
    },
  },
];

describe('relay whose log cannot be written', () => {
  for (const { log, how, then } of cases) {
    it(`serves, answers probes, counts what it drops, and ends in good order: ${log}`, async () => {
      const relay = await start(how());
      then?.(relay.child);
      await relay.serveUntil(async () => (await relay.dropped()) > 0);
      await relay.stop();
    });
  }

  (hasScript ? it : it.skip)('serves while its terminal is stopped by Ctrl-S', async () => {
    const relay = await start({
      stdio: ['pipe', 'pipe', 'inherit'],
      command: (words) => [
        'script',
        '-qec',
        // At the end of the terminal the relay gets SIGHUP, which does not end it.
        `exec setpriv --pdeathsig KILL -- ${words.map((word) => `'${word}'`).join(' ')}`,
        '/dev/null',
      ],
    });
    relay.child.stdout?.resume();
    relay.child.stdin?.write('\x13');
    await relay.serveUntil(async () => (await relay.dropped()) > 0);
  });

  for (const argv of [[], workers]) {
    it(`reports how many lines are missing once it is read again, ${argv.length > 0 ? 'with' : 'without'} workers`, async () => {
      const [fd, end] = [fifo('pipe'), opened(join(folder, 'pipe'), constants.O_WRONLY)];
      const relay = await start({ stdio: ['ignore', end, 'inherit'], argv });
      await relay.serveUntil(async () => (await relay.dropped()) > 0);
      let text = '';
      await eventually('the report', async () => {
        text += drained(fd);
        const whole = text.slice(0, text.lastIndexOf('\n') + 1);
        return droppedIn(whole) === (await relay.dropped());
      });
      let isStopped = false;
      const stopping = relay.stop().then(() => (isStopped = true));
      await eventually('its end, while somebody reads', () => {
        text += drained(fd);
        return isStopped;
      });
      await stopping;
      expect(linesOf(text + drained(fd)).map(({ msg }) => msg)).to.include('relay stopped');
    });
  }

  it('writes again once the disk has room, and reports the error', async () => {
    const path = join(folder, 'log');
    symlinkSync('/dev/full', path);
    const relay = await start({ argv: ['--log-output', path] });
    await relay.serveUntil(async () => (await relay.dropped()) > 0);
    rmSync(path);
    const report = await eventually('the report', () =>
      linesOf(readFileSync(path, 'utf8')).find(({ msg }) => msg === 'log lines dropped'),
    );
    expect(report).to.deep.include({ level: 'warn', problem: 'ENOSPC: no space left on device, write' });
    expect(report['lines']).to.equal(await relay.dropped());
    await relay.stop();
  });
});

describe('relay, log rotation', () => {
  const messages = (path: string): string[] => linesOf(readFileSync(path, 'utf8')).map(({ msg }) => msg);

  for (const argv of [[], workers]) {
    it(`leaves a renamed file at SIGHUP, and loses no line, ${argv.length > 0 ? 'with' : 'without'} workers`, async () => {
      const path = join(folder, 'log');
      const relay = await start({ argv: ['--log-output', path, ...argv] });
      let clients = 0;
      await relay.serveUntil(() => (clients += 200) > 0);
      renameSync(path, `${path}.1`);
      await relay.serveUntil(() => (clients += 200) > 0);
      relay.child.kill('SIGHUP');
      await eventually('the new file', () => messages(path).includes('log file opened again'));
      await relay.serveUntil(() => (clients += 200) > 0);
      await relay.stop();
      const after = messages(path);
      expect(after.at(-1)).to.equal('relay stopped');
      expect(after.filter((msg) => msg === 'connection closed')).to.have.lengthOf.at.least(200);
      const all = [...messages(`${path}.1`), ...after];
      expect(all.filter((msg) => msg === 'connection closed')).to.have.lengthOf(clients);
    });
  }

  it('keeps the file if its folder is gone, and logs why', async () => {
    const [logs, kept] = [join(folder, 'logs'), join(folder, 'kept')];
    mkdirSync(logs);
    const relay = await start({ argv: ['--log-output', join(logs, 'log')] });
    renameSync(logs, kept);
    relay.child.kill('SIGHUP');
    const error = await eventually('the error', () =>
      linesOf(readFileSync(join(kept, 'log'), 'utf8')).find(({ level }) => level === 'error'),
    );
    expect(error.msg).to.equal('log file could not be opened again, still writing to the previous one');
    expect(JSON.stringify(error['err'])).to.contain('ENOENT');
    await relay.serveUntil(() => true);
    await relay.stop();
    expect(messages(join(kept, 'log')).at(-1)).to.equal('relay stopped');
  });

  it('appends after a truncation (copytruncate)', async () => {
    const path = join(folder, 'log');
    const relay = await start({ argv: ['--log-output', path] });
    await relay.serveUntil(() => true);
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
    await relay.stop();
    expect(messages(path).at(-1)).to.equal('relay stopped');
  });
});
