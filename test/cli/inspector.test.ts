import { type ChildProcess, spawn } from 'node:child_process';
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

describe('SIGUSR1', function () {
  this.timeout(30_000); // programs start

  let child: ChildProcess;

  afterEach(() => child.kill('SIGKILL'));

  for (const [what, argv] of [
    ['the relay program', ['realm.ts', ...flags]],
    ['a relay with workers', ['realm.ts', ...flags, '--workers', '2']],
    ['realm-operator', ['main.ts', 'relay', ...flags]],
  ] as const) {
    it(`opens no inspector in ${what}`, async () => {
      const [program = '', ...rest] = argv;
      const started = spawn(process.execPath, [join(folder, program), ...rest]);
      child = started;
      let stderr = '';
      started.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
      const ended = once(started, 'close');
      for await (const line of createInterface({ input: started.stdout }))
        if (line.includes('relay started')) break;
      started.stdout.resume();
      process.kill(started.pid ?? 0, 'SIGUSR1');
      started.kill('SIGTERM');
      expect(await ended).to.deep.equal([0, null]);
      // "Debugger listening on", or "Starting inspector on … failed" if another process has the port.
      expect(stderr).to.not.match(/debugger|inspector/i);
    });
  }
});
