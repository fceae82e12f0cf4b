import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { RealmNetwork } from '../../../src/config/realm-document.ts';
import { proxyHeader } from '../../../src/relay/proxy-protocol/header.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  Loopback,
  noIdleSweep,
  received,
  split,
  type TestRelay,
  loggedLine,
} from '../loopback.ts';

const loopback = new Loopback();

afterEach(() => loopback.closeAll());

const accepting = { ...noIdleSweep, accept_proxy: true };
const addresses = {
  source: { address: '192.0.2.1', port: 1111 },
  destination: { address: '192.0.2.2', port: 2222 },
};

/** A relay to an echo server, with these network settings. */
async function relayWith(network: RealmNetwork, options = {}): Promise<TestRelay & { listen: string }> {
  const running = await loopback.relay(config(endpoint(await loopback.echo(), {}, network)), options);
  return { ...running, listen: listenOf(running.relay) };
}

/** Everything that `client` receives after it has sent `bytes` and ended. */
async function echoed(client: Socket, bytes: Buffer | string): Promise<string> {
  const back = received(client);
  client.end(bytes);
  return back;
}

describe('relay, PROXY protocol towards the remote', () => {
  it('states the client and the address that it connected to, in version 1', async () => {
    const { listen } = await relayWith({ send_proxy: true, send_proxy_version: 1 });
    const client = await loopback.client(listen);
    const ports = `${String(client.localPort)} ${String(split(listen).port)}`;
    expect(await echoed(client, 'x')).to.equal(`PROXY TCP4 127.0.0.1 127.0.0.1 ${ports}\r\nx`);
  });

  it('states an IPv4 client of a wildcard socket as TCP4, in version 2', async () => {
    const { relay } = await loopback.relay(
      config(endpoint(await loopback.echo(), { listen: '[::]:0' }, { send_proxy: true })),
    );
    const { port } = split(listenOf(relay));
    const client = await loopback.client(`127.0.0.1:${String(port)}`);
    const header = proxyHeader(2, {
      source: { address: '127.0.0.1', port: client.localPort ?? 0 },
      destination: { address: '127.0.0.1', port },
    });
    expect(await echoed(client, '')).to.equal(header.toString());
  });

  it('comes before anything from the client, and without waiting for it', async () => {
    const remote = await loopback.tcpRemote((socket) => {
      socket.once('data', (part: Buffer) => socket.end(part.subarray(0, 5)));
    });
    const { relay } = await loopback.relay(
      config(endpoint(remote, {}, { send_proxy: true, send_proxy_version: 1 })),
    );
    expect(await received(await loopback.client(listenOf(relay)))).to.equal('PROXY');
  });
});

describe('relay, PROXY protocol from the client', () => {
  for (const version of [1, 2] as const) {
    it(`strips a header of version ${String(version)} that is sent byte by byte, and logs its client`, async () => {
      const { listen, lines } = await relayWith(accepting);
      const client = await loopback.client(listen);
      client.setNoDelay(true);
      const back = received(client);
      for (const byte of proxyHeader(version, addresses)) {
        await new Promise((resolve) => client.write(Buffer.from([byte]), resolve));
      }
      client.end('hello');
      expect(await back).to.equal('hello');
      const line = await loggedLine(lines, 'connection closed');
      expect(line).to.deep.include({ client: '192.0.2.1:1111', fromClientBytes: 5 });
    });
  }

  it('forwards the addresses in the version of send_proxy', async () => {
    const { listen } = await relayWith({ ...accepting, send_proxy: true, send_proxy_version: 1 });
    const sent = Buffer.concat([proxyHeader(2, addresses), Buffer.from('hello')]);
    expect(await echoed(await loopback.client(listen), sent)).to.equal(
      'PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\nhello',
    );
  });

  it('forwards the address of the peer if the header names no client', async () => {
    const { listen } = await relayWith({ ...accepting, send_proxy: true, send_proxy_version: 1 });
    const client = await loopback.client(listen);
    const ports = `${String(client.localPort)} ${String(split(listen).port)}`;
    expect(await echoed(client, 'PROXY UNKNOWN\r\nx')).to.equal(
      `PROXY TCP4 127.0.0.1 127.0.0.1 ${ports}\r\nx`,
    );
  });

  it('hashes the client that the header names for iphash', async () => {
    const [first, second] = [await loopback.greeter('a'), await loopback.greeter('b')];
    const fields = { extra_remotes: [second], balance: 'iphash: 1, 1' };
    const { relay } = await loopback.relay(config(endpoint(first, fields, accepting)));
    const answers = await Promise.all(
      Array.from({ length: 32 }, async (_, index) => {
        const source = { address: `192.0.2.${String(index)}`, port: 1 };
        return echoed(await loopback.client(listenOf(relay)), proxyHeader(2, { ...addresses, source }));
      }),
    );
    expect(new Set(answers)).to.deep.equal(new Set(['a', 'b']));
  });

  it('passes on 1 MiB after the header unchanged', async () => {
    const { listen } = await relayWith(accepting);
    const body = Buffer.alloc(1024 * 1024, 'x');
    const back = await echoed(
      await loopback.client(listen),
      Buffer.concat([proxyHeader(1, addresses), body]),
    );
    expect(back.length).to.equal(body.length);
  });

  it('refuses a client that sends no header, without dialling', async () => {
    const { listen, lines } = await relayWith(accepting);
    const client = await loopback.client(listen);
    client.write('GET / HTTP/1.1\r\n\r\n');
    expect(await failure(client)).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(line).to.deep.include({ side: 'client', upstream: '' });
    expect(line['err']).to.include({ code: 'REALM_PROXY_HEADER' });
  });

  for (const text of ['PROXY toString 127.0.0.1 a\nb 1 2\r\n', 'PROXY TCP6 fe80::1%a ::1 1 2\r\n']) {
    it(`refuses a client without dialling for ${JSON.stringify(text)}`, async () => {
      const { relay, listen } = await relayWith({ ...accepting, send_proxy: true, send_proxy_version: 1 });
      const client = await loopback.client(listen);
      client.write(text);
      expect(await failure(client)).to.equal('ECONNRESET');
      expect(relay.status().endpoints[0]?.health.TCP[0]?.dials).to.equal(0);
    });
  }

  it('refuses a client that ends within its header', async () => {
    const { listen } = await relayWith(accepting);
    const client = await loopback.client(listen);
    client.end('PROXY TCP4');
    expect(await failure(client)).to.equal('ECONNRESET');
  });

  const endless = [
    { what: 'a line of version 1 that never ends', text: `PROXY TCP4 ${'1'.repeat(70_000)}` },
    {
      what: 'version 2 with more than 4,096 bytes',
      text: `\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff${'x'.repeat(70_000)}`,
    },
    { what: '70,000 zeros', text: '\0'.repeat(70_000) },
  ];
  for (const { what, text } of endless) {
    it(`refuses a client as soon as its header exceeds the limit: ${what}`, async () => {
      const { relay, listen, lines } = await relayWith(accepting);
      const client = await loopback.client(listen);
      client.write(Buffer.from(text, 'latin1'));
      expect(await failure(client)).to.equal('ECONNRESET');
      const line = await loggedLine(lines, 'connection failed');
      expect(line).to.deep.include({ side: 'client', upstream: '' });
      expect(line['err']).to.include({ code: 'REALM_PROXY_HEADER' });
      expect(relay.status().endpoints[0]?.health.TCP[0]?.active).to.equal(0);
    });
  }

  it('does not extend accept_proxy_timeout for a client that sends byte by byte', async () => {
    const clock = new FakeClock();
    const { relay, listen } = await relayWith({ ...accepting, accept_proxy_timeout: 3 }, { clock });
    const client = await loopback.client(listen);
    const failed = failure(client);
    await eventually('the timer', () => clock.timers === 1);
    for (const byte of 'PRO') {
      client.write(byte);
      clock.advance(999);
    }
    expect(relay.status().endpoints[0]?.connections.active).to.equal(1);
    clock.advance(3);
    expect(await failed).to.equal('ECONNRESET');
  });

  it('refuses a client that takes longer than accept_proxy_timeout', async () => {
    const clock = new FakeClock();
    const { relay, listen } = await relayWith({ ...accepting, accept_proxy_timeout: 3 }, { clock });
    const client = await loopback.client(listen);
    client.write('PROXY');
    await eventually('the connection', () => relay.status().endpoints[0]?.connections.active === 1);
    const failed = failure(client);
    clock.advance(2999);
    expect(relay.status().endpoints[0]?.connections.active).to.equal(1);
    clock.advance(1);
    expect(await failed).to.equal('ECONNRESET');
  });

  for (const { trusted, isServed } of [
    { trusted: ['127.0.0.0/8', '::1'], isServed: true },
    { trusted: ['127.0.0.1'], isServed: true },
    { trusted: ['10.0.0.0/8', '2001:db8::/32'], isServed: false },
  ]) {
    it(`${isServed ? 'serves' : 'refuses'} a client of 127.0.0.1 if ${trusted.join(', ')} are trusted`, async () => {
      const { listen } = await relayWith({ ...accepting, accept_proxy_trusted: trusted });
      const client = loopback.dial(listen);
      const sent = Buffer.concat([proxyHeader(2, addresses), Buffer.from('hello')]);
      if (isServed) expect(await echoed(client, sent)).to.equal('hello');
      else expect(await failure(client)).to.equal('ECONNRESET');
    });
  }

  it('keeps no connection and no timer of a client that has left', async () => {
    const clock = new FakeClock();
    const { relay, listen } = await relayWith(accepting, { clock });
    const client = await loopback.client(listen);
    await eventually('the timer', () => clock.timers === 1);
    client.resetAndDestroy();
    await once(client, 'close');
    await eventually(
      'its end',
      () => clock.timers === 0 && relay.status().endpoints[0]?.connections.active === 0,
    );
  });
});
