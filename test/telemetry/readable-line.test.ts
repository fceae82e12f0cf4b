import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'chai';
import { readableLine } from '../../src/telemetry/readable-line.ts';

describe('log, on a terminal', () => {
  const time = new Date(2026, 0, 2, 13, 4, 5, 67).toISOString();
  const cases = [
    {
      line: { level: 'info', time, endpoint: 'web', fromClientBytes: 5, msg: 'connection closed' },
      text: '13:04:05.067 INFO  connection closed endpoint=web fromClientBytes=5',
      why: 'the time is local, fields follow the sentence',
    },
    {
      line: {
        level: 'warn',
        time,
        side: 'upstream',
        err: { type: 'Error', message: 'read ECONNRESET', stack: 'x' },
        msg: 'connection failed',
      },
      text: '13:04:05.067 WARN  connection failed side=upstream error=read ECONNRESET',
      why: 'an error is its message, at the end',
    },
    {
      line: { level: 'error', time, problem: 'listen: "x"\u001b[2J', closing: ['a', 'b'], msg: 'no' },
      text: '13:04:05.067 ERROR no problem="listen: \\"x\\"\\u001b[2J" closing=["a","b"]',
      why: 'nothing steers the terminal',
    },
  ];
  for (const { line, text, why } of cases) {
    it(`is written for people: ${why}`, () => {
      expect(readableLine(JSON.stringify(line))).to.equal(`${text}\n`);
    });
  }

  it('is left as it is if it is not JSON', () => {
    expect(readableLine('plain\n')).to.equal('plain\n');
  });

  const logger = join(import.meta.dirname, '..', '..', 'src', 'telemetry', 'logger.ts');
  const program = `import { createLogger } from ${JSON.stringify(logger)};
createLogger("info").info({ endpoint: "web" }, "hello")`;

  /** What a program that logs writes to its standard output. */
  async function output(command: string, argv: readonly string[]): Promise<string> {
    const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (part: Buffer) => (text += part.toString()));
    await once(child, 'close');
    return text;
  }

  const hasScript = spawnSync('script', ['--version']).status === 0;
  (hasScript ? it : it.skip)('is so on a real one, and JSON in a pipe', async () => {
    const argv = ['--input-type=module', '-e', program];
    expect(JSON.parse(await output(process.execPath, argv))).to.deep.include({ msg: 'hello' });
    const quoted = [process.execPath, ...argv].map((word) => `'${word}'`).join(' ');
    const seen = await output('script', ['-qec', quoted, '/dev/null']);
    expect(seen).to.match(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}hello endpoint=web\r\n$/);
  });
});
