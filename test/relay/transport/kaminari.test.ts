import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Loopback } from '../loopback.ts';
import { testTransports } from './peers.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

// The Rust library that Realm's transports are, as two programs:
// RUSTC_BOOTSTRAP=1 cargo install kaminari-cmd --version 0.6.1 --no-default-features --features tls,tls-ring
const folder = process.env['KAMINARI'];
const skipped = folder === undefined ? ' (skipped: KAMINARI names no folder of kaminari-cmd)' : '';

/** Runs `kaminaric` or `kaminaris` from `listen` to `remote`, until the test is over. */
function kaminari(name: 'kaminaric' | 'kaminaris') {
  return (listen: string, remote: string, options: string): void => {
    const child = spawn(join(folder ?? '', name), [listen, remote, options], { stdio: 'ignore' });
    loopback.onClose(async () => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    });
  };
}

(folder === undefined ? describe.skip : describe)(
  `relay and kaminari, Realm's own transports${skipped}`,
  () => {
    testTransports(loopback, {
      name: 'kaminari',
      client: kaminari('kaminaric'),
      server: kaminari('kaminaris'),
    });
  },
);
