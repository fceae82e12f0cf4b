import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { eventually } from '../../support/eventually.ts';
import { addressText, type Loopback } from '../loopback.ts';

/** A port that does not answer handshakes: its process is stopped, and its accept queue is full. */
export type SilentPort = {
  readonly address: string;
  readonly port: number;
  /** Resumes the process, which greets waiting and new clients with `awake`. */
  readonly wake: () => void;
};

const program = `const s = require('net').createServer((c) => c.on('error', () => {}).end('awake'));
s.listen({ host: process.argv[1], port: Number(process.argv[2]), backlog: 1 }, () => console.log(s.address().port))`;

/** A silent port of `host`; 0 = any free one. */
export async function silentPort(loopback: Loopback, host = '127.0.0.1', wanted = 0): Promise<SilentPort> {
  const child = spawn(process.execPath, ['-e', program, host, String(wanted)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  loopback.onClose(() => ended(child));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(line.toString());
  child.kill('SIGSTOP');
  await fill(loopback, host, port);
  return {
    address: addressText({ address: host, port }),
    port,
    wake: () => child.kill('SIGCONT'),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'close');
}

/** Opens connections until one is not answered. */
async function fill(loopback: Loopback, host: string, port: number): Promise<void> {
  const fillers: Socket[] = [];
  loopback.onClose(() => {
    for (const filler of fillers) filler.destroy();
  });
  await eventually('a full accept queue', async () => {
    const filler = connect({ port, host }).on('error', () => undefined);
    fillers.push(filler);
    const connected = await Promise.race([
      once(filler, 'connect'),
      new Promise((resolve) => setTimeout(resolve, 100, 'waits')),
    ]);
    return connected === 'waits';
  });
}
