import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../../cluster/eventually.ts';
import { freePort } from '../../cluster/free-port.ts';
import { config, endpoint, listenOf, Loopback } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

// The Rust library that Realm's transports are, as two programs:
// RUSTC_BOOTSTRAP=1 cargo install kaminari-cmd --version 0.6.1 --no-default-features --features tls,tls-ring
const folder = process.env['KAMINARI'];
const skipped = folder === undefined ? ' (skipped: KAMINARI names no folder of kaminari-cmd)' : '';

const webSocket = 'ws;host=a.example;path=/chat';
/** Of each transport the strings of a client and of a server, which both know. */
const transports = {
  ws: { client: webSocket, server: webSocket },
  tls: { client: 'tls;sni=a.example;insecure', server: 'tls;servername=a.example' },
  'ws inside tls': {
    client: `${webSocket};tls;sni=a.example;insecure`,
    server: `${webSocket};tls;servername=a.example`,
  },
};

/** Runs `kaminaric` or `kaminaris` from `listen` to `remote`, until the test is over. */
function kaminari(name: 'kaminaric' | 'kaminaris', listen: string, remote: string, options: string): void {
  const child = spawn(join(folder ?? '', name), [listen, remote, options], { stdio: 'ignore' });
  loopback.onClose(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
}

/** What comes back of 4 MiB that are sent to `address`, once somebody listens there. */
async function echoed(address: string): Promise<boolean> {
  const client = await eventually('a listener', () => loopback.client(address).catch(() => undefined));
  const sent = randomBytes(4 * 1024 * 1024);
  const parts: Buffer[] = [];
  let count = 0;
  const all = Promise.withResolvers<undefined>();
  client.on('data', (part: Buffer) => {
    parts.push(part);
    count += part.length;
    if (count >= sent.length) all.resolve(undefined);
  });
  client.once('close', () => {
    all.resolve(undefined);
  });
  client.write(sent);
  await all.promise;
  return Buffer.concat(parts).equals(sent);
}

(folder === undefined ? describe.skip : describe)(
  `relay and kaminari, Realm's own transports${skipped}`,
  () => {
    for (const [name, { client, server }] of Object.entries(transports)) {
      it(`serves a client of kaminari, ${name}`, async () => {
        const { relay } = await loopback.relay(
          config(endpoint(await loopback.echo(), { listen_transport: server })),
        );
        const local = `127.0.0.1:${String(await freePort())}`;
        kaminari('kaminaric', local, listenOf(relay), client);
        expect(await echoed(local)).to.equal(true);
      });

      it(`is served by kaminari, ${name}`, async () => {
        const far = `127.0.0.1:${String(await freePort())}`;
        kaminari('kaminaris', far, await loopback.echo(), server);
        const { relay } = await loopback.relay(config(endpoint(far, { remote_transport: client })));
        await eventually('the server', () => loopback.client(far).catch(() => undefined));
        expect(await echoed(listenOf(relay))).to.equal(true);
      });
    }
  },
);
