import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { eventually } from '../cluster/eventually.ts';
import { config, endpoint, failure, listenOf, Loopback, received } from './loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** A port whose handshakes are not answered: its process is stopped and its accept queue is full. */
async function silentPort(): Promise<string> {
  const program =
    'const s = require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(s.address().port))';
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  loopback.onClose(async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGSTOP');
  const address = `127.0.0.1:${line.toString().trim()}`;
  await fill(Number(line.toString()));
  return address;
}

/** Connects until a connect waits. */
async function fill(port: number): Promise<void> {
  const fillers: Socket[] = [];
  loopback.onClose(() => {
    for (const filler of fillers) filler.destroy();
  });
  await eventually('a full accept queue', async () => {
    const filler = connect({ port, host: '127.0.0.1' }).on('error', () => undefined);
    fillers.push(filler);
    const connected = await Promise.race([
      once(filler, 'connect'),
      new Promise((resolve) => setTimeout(resolve, 100, 'waits')),
    ]);
    return connected === 'waits';
  });
}

describe('relay, a remote that does not answer', () => {
  it('is given up after tcp_timeout, and the next one is taken', async () => {
    const silent = await silentPort();
    const { relay, lines } = await loopback.relay(
      config(endpoint(silent, { extra_remotes: [await loopback.greeter('second')] }, { tcp_timeout: 1 })),
    );
    expect(await received(await loopback.client(listenOf(relay)))).to.equal('second');
    const line = lines.find(({ msg }) => msg === 'remote failed, trying the next');
    expect(line).to.deep.include({ upstream: silent });
    expect(JSON.stringify(line?.['err'])).to.contain('REALM_DIAL_TIMEOUT');
  });

  it('does not hold a client that resets', async () => {
    const { relay } = await loopback.relay(config(endpoint(await silentPort(), {}, { tcp_timeout: 0 })));
    const client = await loopback.client(listenOf(relay));
    client.resetAndDestroy();
    await eventually('its end', () => relay.status().endpoints[0]?.connections.failed.client === 1);
    const other = loopback.dial(listenOf(relay));
    await once(other, 'connect');
    const cut = failure(other);
    await relay.close();
    expect(await cut).to.equal('ECONNRESET');
  });
});
