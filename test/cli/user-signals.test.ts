import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';

const folder = join(import.meta.dirname, '..', '..', 'src', 'cli');
const flags = [
  '-l',
  '127.0.0.1:0',
  '-r',
  '127.0.0.1:1',
  '--admin',
  '127.0.0.1:0',
  '--drain-lag-seconds',
  '0',
];

describe('SIGUSR1 and SIGUSR2', function () {
  this.timeout(30_000); // programs start, workers one after the other

  let child: ChildProcess;

  afterEach(() => child.kill('SIGKILL'));

  for (const [what, argv] of [
    ['the relay program', ['realm.ts', ...flags]],
    ['its workers', ['realm.ts', ...flags, '--workers', '2']],
    ['realm-operator', ['main.ts', 'relay', ...flags]],
  ] as const) {
    it(`neither open an inspector in ${what}, nor end it`, async () => {
      const [program = '', ...rest] = argv;
      const started = spawn(process.execPath, [join(folder, program), ...rest]);
      child = started;
      let stderr = '';
      started.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
      const ended = once(started, 'close');
      for await (const line of createInterface({ input: started.stdout }))
        if (line.includes('relay started')) break;
      started.stdout.resume();
      const workers = spawnSync('pgrep', ['-P', String(started.pid)], { encoding: 'utf8' }).stdout;
      const processes = [started.pid ?? 0, ...workers.split('\n').filter(Boolean).map(Number)];
      expect(processes).to.have.lengthOf(what === 'its workers' ? 3 : 1);
      for (const signal of ['SIGUSR1', 'SIGUSR2']) for (const pid of processes) process.kill(pid, signal);
      started.kill('SIGTERM');
      expect(await ended).to.deep.equal([0, null]);
      // "Debugger listening on", or "Starting inspector on … failed" if another process has the port.
      expect(stderr).to.not.match(/debugger|inspector/i);
    });
  }
});
