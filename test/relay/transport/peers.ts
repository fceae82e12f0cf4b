import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { config, endpoint, listenOf, received, type Loopback } from '../loopback.ts';
import { TestPki } from './pki.ts';

/** Another program with Realm's transports; each run lasts until the test is over. */
export type TransportPeer = {
  readonly name: string;
  /** Accepts plain TCP at `listen`, and uses the transport `options` towards `remote`. */
  readonly client: (listen: string, remote: string, options: string) => void;
  /** Accepts the transport `options` at `listen`, and uses plain TCP towards `remote`. */
  readonly server: (listen: string, remote: string, options: string) => void;
};

const webSocket = 'ws;host=a.example;path=/chat';
/** The options of each transport for a client and for a server, in a form that both programs understand. */
const transports = {
  ws: { client: webSocket, server: webSocket },
  tls: { client: 'tls;sni=a.example;insecure', server: 'tls;servername=a.example' },
  'ws inside tls': {
    client: `${webSocket};tls;sni=a.example;insecure`,
    server: `${webSocket};tls;servername=a.example`,
  },
};

const farewellBytes = 1024 * 1024;

/** Tests that the relay and `peer` work together, the relay as the server and as the client. */
export function testTransports(loopback: Loopback, peer: TransportPeer): void {
  let pki: TestPki;
  before(() => {
    pki = new TestPki();
  });
  after(() => {
    pki.remove();
  });

  for (const [transport, { client, server }] of Object.entries(transports)) {
    it(`serves a client of ${peer.name}, ${transport}`, async () => {
      await expectServed(server, client);
    });

    it(`is served by ${peer.name}, ${transport}`, async () => {
      await expectServedBy(server, client);
    });

    it(`delivers everything that a remote sends before its end to a client of ${peer.name}, ${transport}`, async () => {
      expect(await sizeOfAll(await clientTo(await farewell(), server, client))).to.equal(farewellBytes);
    });

    it(`delivers everything that a remote behind ${peer.name} sends before its end, ${transport}`, async () => {
      expect(await sizeOfAll(await serverTo(await farewell(), server, client))).to.equal(farewellBytes);
    });
  }

  it(`serves a client of ${peer.name} with certificate files`, async () => {
    await expectServed(files(), 'tls;sni=a.example;insecure');
  });

  it(`is served by ${peer.name}, and checks its certificate`, async () => {
    await expectServedBy(files(), `tls;sni=a.example;ca=${pki.ca}`);
  });

  function files(): string {
    const { cert, key } = pki.pair('a.example');
    return `tls;cert=${cert};key=${key}`;
  }

  async function expectServed(ours: string, theirs: string): Promise<void> {
    expect(await isEchoed(loopback, await clientTo(await loopback.echo(), ours, theirs))).to.equal(true);
  }

  async function expectServedBy(theirs: string, ours: string): Promise<void> {
    expect(await isEchoed(loopback, await serverTo(await loopback.echo(), theirs, ours))).to.equal(true);
  }

  /** The address of a `peer` that connects to our relay, which connects to `remote`; it may not listen yet. */
  async function clientTo(remote: string, ours: string, theirs: string): Promise<string> {
    const { relay } = await loopback.relay(config(endpoint(remote, { listen_transport: ours })));
    const local = `127.0.0.1:${String(await freePort())}`;
    peer.client(local, listenOf(relay), theirs);
    return local;
  }

  /** The address of our relay, which connects to a `peer`, which connects to `remote`. */
  async function serverTo(remote: string, theirs: string, ours: string): Promise<string> {
    const far = `127.0.0.1:${String(await freePort())}`;
    peer.server(far, remote, theirs);
    const { relay } = await loopback.relay(config(endpoint(far, { remote_transport: ours })));
    await eventually('the server', () => loopback.client(far).catch(() => undefined));
    return listenOf(relay);
  }

  /** A remote that answers its first bytes with many and ends. A client of Realm may lose what a remote sends unasked. */
  function farewell(): Promise<string> {
    return loopback.tcpRemote((socket) => {
      socket.once('data', () => socket.end('x'.repeat(farewellBytes)));
    });
  }

  /** How many bytes `address` sends until its end, once it has received a byte. */
  async function sizeOfAll(address: string): Promise<number> {
    const client = await eventually('a listener', () => loopback.client(address).catch(() => undefined));
    client.write('x');
    return (await received(client)).length;
  }
}

/** Whether 4 MiB that are sent to `address`, once there is a listener, come back. */
export async function isEchoed(loopback: Loopback, address: string): Promise<boolean> {
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
