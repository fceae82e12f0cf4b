import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { expect } from 'chai';
import { config, endpoint, failure, listenOf, Loopback, received, slowHash } from '../loopback.ts';
import { TestPki, type PairFiles } from './pki.ts';

const loopback = new Loopback();
let pki: TestPki;
let server: PairFiles;

before(() => {
  pki = new TestPki();
  server = pki.pair('relay.example');
});
after(() => {
  pki.remove();
});
afterEach(() => loopback.closeAll());

const ws = 'ws;host=relay.example;path=/tunnel';

/** The transports of a client relay and of the server relay behind it. */
function chains(): readonly { name: string; remote: string; listen: string }[] {
  const tls = `tls;cert=${server.cert};key=${server.key}`;
  const towards = `tls;sni=relay.example;ca=${pki.ca}`;
  return [
    { name: 'ws', remote: ws, listen: ws },
    { name: 'tls', remote: towards, listen: tls },
    { name: 'ws inside tls', remote: `${ws};${towards}`, listen: `${ws};${tls}` },
  ];
}

/** Two relays, one behind the other, in front of `remote`; the address of the first. */
async function chain(remote: string, index: number): Promise<string> {
  const transports = chains()[index];
  if (transports === undefined) throw new Error('no such chain');
  const second = await loopback.relay(config(endpoint(remote, { listen_transport: transports.listen })));
  const first = await loopback.relay(
    config(endpoint(listenOf(second.relay), { remote_transport: transports.remote })),
  );
  return listenOf(first.relay);
}

describe('relay, transports', () => {
  for (const [index, name] of ['ws', 'tls', 'ws inside tls'].entries()) {
    it(`${name}: carries bytes from relay to relay in both directions`, async () => {
      const client = await loopback.client(await chain(await loopback.echo(), index));
      const back = received(client);
      client.end('hello');
      expect(await back).to.equal('hello');
    });

    it(`${name}: delivers the whole answer to a client that has ended its side`, async () => {
      const answer = randomBytes(3_000_000);
      const remote = await loopback.tcpRemote((socket) => {
        socket.resume().once('end', () => socket.end(answer));
      });
      const client = await loopback.client(await chain(remote, index));
      const back = received.bytes(client);
      client.end('question');
      expect(Buffer.concat(await back).equals(answer)).to.equal(true);
    });

    it(`${name}: delivers what a remote sends unasked before its end`, async () => {
      const listen = await chain(await loopback.greeter('welcome'), index);
      expect(await loopback.greeting(listen)).to.equal('welcome');
    });

    it(`${name}: slows a sender down to the pace of its reader, and loses nothing`, async () => {
      const { promise, resolve } = Promise.withResolvers<string>();
      const remote = await loopback.tcpRemote((socket) => {
        socket.end();
        void slowHash(socket).then(resolve);
      });
      const client = await loopback.client(await chain(remote, index));
      const hash = createHash('sha256');
      client.resume();
      for (let sent = 0; sent < 48; sent += 1) {
        const part = randomBytes(1024 * 1024);
        hash.update(part);
        if (!client.write(part)) await once(client, 'drain');
      }
      client.end();
      expect(await promise).to.equal(hash.digest('hex'));
    });

    it(`${name}: passes a reset of the remote on to the client`, async () => {
      const remote = await loopback.tcpRemote((socket) => {
        socket.once('data', () => socket.resetAndDestroy());
      });
      const client = await loopback.client(await chain(remote, index));
      client.write('x');
      expect(await failure(client)).to.equal('ECONNRESET');
    });

    it(`${name}: passes a reset of the client on to the remote`, async () => {
      const { promise, resolve } = Promise.withResolvers<string>();
      const remote = await loopback.tcpRemote((socket) => {
        socket.write('x');
        void failure(socket).then(resolve);
      });
      const client = await loopback.client(await chain(remote, index));
      await once(client, 'data');
      client.resetAndDestroy();
      expect(await promise).to.equal('ECONNRESET');
    });
  }
});
