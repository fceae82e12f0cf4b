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

describe('signals that Node.js or the system would act on', function () {
  let child: ChildProcess;

  afterEach(() => child.kill('SIGKILL'));

  for (const [what, argv] of [
    ['the relay program', ['realm.ts', ...flags]],
    ['a relay with workers', ['realm.ts', ...flags, '--workers', '2']],
    ['realm-operator', ['main.ts', 'relay', ...flags]],
  ] as const) {
    it(`SIGUSR1 opens no inspector in ${what}`, async () => {
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

  for (const signal of ['SIGUSR1', 'SIGUSR2']) {
    it(`${signal} does not end a program that gives it no meaning`, async () => {
      const module = new URL('../../src/telemetry/program.ts', import.meta.url).href;
      const program = `
        const { runProgram } = await import(${JSON.stringify(module)});
        await runProgram(() => {
          process.kill(process.pid, '${signal}'); // the default action would end it here and now
          return Promise.resolve(7);
        });`;
      child = spawn(process.execPath, ['--input-type=module', '--eval', program]);
      expect(await once(child, 'close')).to.deep.equal([7, null]);
    });
  }
});
