import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { main } from '../../src/cli/main.ts';

/** What a command printed and returned. */
export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs `realm-operator` with `argv` in this process, `stdin` being what it may read. */
export async function runCli(argv: readonly string[], stdin = ''): Promise<Outcome> {
  const [stdout, stderr] = [new Collected(), new Collected()];
  const code = await main(argv, {
    stdin: Readable.from([stdin]),
    stdout,
    stderr,
    signals: new EventEmitter(),
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

class Collected extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
