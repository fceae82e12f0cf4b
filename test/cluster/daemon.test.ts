import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Daemon } from './daemon.ts';
import { eventually } from '../support/eventually.ts';

// A process that owns a Daemon, for the test to kill.
const owning = `
  const { Daemon } = await import(${JSON.stringify(new URL('daemon.ts', import.meta.url).href)});
  process.stdout.write(String(new Daemon('sleep', ['sleep', '600'], process.argv[1]).pid));
  setInterval(() => undefined, 60_000);
`;

describe('Daemon', function () {
  let folder: string;
  let logFile: string;

  before(function () {
    if (process.platform !== 'linux') this.skip(); // PR_SET_PDEATHSIG
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-daemon-'));
    logFile = join(folder, 'log');
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('dies with the process that started it, even if that is killed', async () => {
    const owner = spawn(process.execPath, ['--input-type=module', '--eval', owning, logFile]);
    const [pid] = (await once(owner.stdout, 'data')) as [Buffer];
    expect(isAlive(Number(pid))).to.equal(true);
    owner.kill('SIGKILL');
    await eventually('daemon gone', () => !isAlive(Number(pid)));
  });

  it('stops on request, and a second time does nothing', async () => {
    const daemon = new Daemon('sleep', ['sleep', '600'], logFile);
    expect(daemon.endReason()).to.equal(undefined);
    await daemon.stop();
    await daemon.stop();
    expect(daemon.endReason()).to.be.an('error');
  });

  it('is killed when it does not stop', async () => {
    const daemon = new Daemon(
      'stubborn',
      ['sh', '-c', 'trap "" TERM; echo trapped; exec sleep 600'],
      logFile,
    );
    await eventually('trap set', () => daemon.lastOutput().includes('trapped'));
    await daemon.stop(50);
    expect(isAlive(daemon.pid)).to.equal(false);
  });

  it('reports why it ended, with what it printed last', async () => {
    const daemon = new Daemon('failing', ['sh', '-c', 'echo no luck; exit 1'], logFile);
    const reason = await eventually('ended', () => daemon.endReason());
    expect(reason.message).to.include('failing has ended').and.to.include('no luck');
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
