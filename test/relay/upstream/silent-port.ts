import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { addressText, type Loopback } from '../loopback.ts';

/** A port that does not answer handshakes: its process is stopped, and its accept queue is full. */
export type SilentPort = {
  readonly address: string;
  readonly port: number;
  /** Resumes the process, which greets waiting and new clients with `awake`. */
  readonly wake: () => void;
};

const backlog = 1;
const program = `const s = require('net').createServer((c) => c.on('error', () => {}).end('awake'));
s.listen({ host: process.argv[1], port: Number(process.argv[2]), backlog: ${String(backlog)} }, () => console.log('listens'))`;

/** A silent port of `host`, any free one by default. */
export async function silentPort(
  loopback: Loopback,
  host = '127.0.0.1',
  wanted?: number,
): Promise<SilentPort> {
  const port = wanted ?? (await freePort());
  const child = spawn(process.execPath, ['-e', program, host, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  loopback.onClose(() => ended(child));
  await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  await eventually('the process stopped', () => stateOf(child) === 'T');
  const address = addressText({ address: host, port });
  // Linux answers handshakes until one connection more than the backlog waits to be accepted.
  for (let waiting = 0; waiting <= backlog; waiting += 1) await loopback.client(address);
  return { address, port, wake: () => child.kill('SIGCONT') };
}

/** The state of a process, as a letter: T = stopped. */
function stateOf({ pid }: ChildProcess): string | undefined {
  return readFileSync(`/proc/${String(pid)}/stat`, 'utf8').split(') ')[1]?.[0];
}

async function ended(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'close');
}
