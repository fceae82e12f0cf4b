import { expect } from 'chai';
import type { RealmEndpoint, RealmNetwork } from '../../../src/config/realm-document.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { config, endpoint, listenOf, Loopback, received, split } from '../loopback.ts';
import { describeRustRealm, RustRealm } from '../../support/rust-realm.ts';
import { isEchoed, testTransports } from '../transport/peers.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const udp = { use_udp: true, no_tcp: true };

/** What the two speak behind the header: the words of the side that listens, and of the other. */
const headerBefore = [
  { title: '', server: [], client: [] },
  {
    title: ', before TLS and WebSocket',
    server: ['ws;host=a.example;path=/;tls;servername=a.example'],
    client: ['ws;host=a.example;path=/;tls;sni=a.example;insecure'],
  },
];

function start(argv: readonly string[]): void {
  const realm = new RustRealm(argv);
  loopback.onClose(() => realm.end());
}

/** Realm on a free port of 127.0.0.1, started by flags; it need not listen yet. */
async function realmTo(remote: string, flags: readonly string[] = []): Promise<string> {
  const listen = `127.0.0.1:${String(await freePort())}`;
  start(['-l', listen, '-r', remote, ...flags]);
  return listen;
}

/** Our relay, bound. */
async function relayTo(
  remote: string,
  network: RealmNetwork = {},
  fields: Partial<RealmEndpoint> = {},
): Promise<string> {
  const { relay } = await loopback.relay(config(endpoint(remote, fields, network)));
  return listenOf(relay);
}

/** What `address` answers to `text` by UDP, once somebody listens all the way: until then datagrams are lost. */
async function udpAnswer(address: string, text: string): Promise<string> {
  const client = await loopback.udp();
  const { host, port } = split(address);
  let answer: string | undefined;
  client.on('message', (datagram) => (answer = datagram.toString()));
  return eventually('an answer', () => {
    client.send(text, port, host);
    return answer;
  });
}

/** What the remote behind `address` got from a client that sends `hello` and waits for its end, and that client's port. */
async function told(address: string): Promise<{ readonly text: string; readonly port: string }> {
  const client = await eventually('a listener', () => loopback.client(address).catch(() => undefined));
  const back = received(client);
  client.write('hello');
  return { text: await back, port: String(client.localPort) };
}

/** A remote that sends back all that it got once that ends with `hello`, and ends. */
function parrot(): Promise<string> {
  return loopback.tcpRemote((socket) => {
    let text = '';
    socket.on('data', (part: Buffer) => {
      text += part.toString('latin1');
      if (text.endsWith('hello')) socket.end(text);
    });
  });
}

describeRustRealm('relay and the Rust realm, one behind the other', () => {
  it('carry TCP, the relay first', async () => {
    expect(await isEchoed(loopback, await relayTo(await reached(await loopback.echo())))).to.equal(true);
  });

  it('carry TCP, Realm first', async () => {
    expect(await isEchoed(loopback, await realmTo(await relayTo(await loopback.echo())))).to.equal(true);
  });

  it('carry UDP, the relay first', async () => {
    const far = await realmTo(await loopback.udpEcho('>'), ['-u']);
    expect(await udpAnswer(await relayTo(far, udp), 'x')).to.equal('>x');
  });

  it('carry UDP, Realm first', async () => {
    const near = await relayTo(await loopback.udpEcho('>'), udp);
    expect(await udpAnswer(await realmTo(near, ['-u', '-t']), 'x')).to.equal('>x');
  });

  for (const version of [1, 2]) {
    for (const { title, server, client } of headerBefore) {
      // Realm's own header shows whom it was told of: it puts what it has accepted into what it sends.
      it(`Realm takes our PROXY header of version ${String(version)}${title}`, async () => {
        const flags = ['--accept-proxy', 'true', '--send-proxy', 'true', '--send-proxy-version', '1'];
        const far = await reached(await parrot(), [...flags, ...server.flatMap((words) => ['-a', words])]);
        const sent = { send_proxy: true, send_proxy_version: version };
        const [remote_transport] = client;
        const near = await relayTo(far, sent, remote_transport === undefined ? {} : { remote_transport });
        const { text, port } = await told(near);
        expect(text).to.equal(`PROXY TCP4 127.0.0.1 127.0.0.1 ${port} ${String(split(near).port)}\r\nhello`);
      });

      it(`takes Realm's PROXY header of version ${String(version)}${title}`, async () => {
        const [listen_transport] = server;
        const near = await relayTo(
          await parrot(),
          { accept_proxy: true, send_proxy: true, send_proxy_version: 1 },
          listen_transport === undefined ? {} : { listen_transport },
        );
        const flags = ['--send-proxy', 'true', '--send-proxy-version', String(version)];
        const far = await realmTo(near, [...flags, ...client.flatMap((words) => ['-b', words])]);
        const { text, port } = await told(far);
        expect(text).to.equal(`PROXY TCP4 127.0.0.1 0.0.0.0 ${port} 0\r\nhello`);
      });
    }
  }

  testTransports(loopback, {
    name: 'Realm',
    client: (listen, remote, options) => {
      start(['-l', listen, '-r', remote, '-b', options]);
    },
    server: (listen, remote, options) => {
      start(['-l', listen, '-r', remote, '-a', options]);
    },
  });

  /** As `realmTo`, once it listens. */
  async function reached(remote: string, flags: readonly string[] = []): Promise<string> {
    const listen = await realmTo(remote, flags);
    await eventually('Realm', () => loopback.client(listen).catch(() => undefined));
    return listen;
  }
});
