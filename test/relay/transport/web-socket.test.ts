import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  Loopback,
  received,
  statusOf,
  type TestRelay,
  loggedLine,
} from '../loopback.ts';
import { frame, opcodes, requestHead, switching, until, zeroMask } from './frames.ts';

const loopback = new Loopback();

afterEach(() => loopback.closeAll());

const words = 'ws;host=relay.example;path=/tunnel';

/** A relay whose clients speak WebSocket, to an echo server; `dials` counts the connections that reached it. */
async function listening(options = {}): Promise<TestRelay & { client: Socket; dials: () => number }> {
  let dials = 0;
  const remote = await loopback.tcpRemote((socket) => {
    dials += 1;
    socket.pipe(socket);
  });
  const running = await loopback.relay(config(endpoint(remote, { listen_transport: words })), options);
  return { ...running, client: await loopback.client(listenOf(running.relay)), dials: () => dials };
}

/** An open WebSocket to the relay. */
async function opened(): Promise<TestRelay & { client: Socket }> {
  const running = await listening();
  running.client.write(requestHead());
  expect((await until(running.client, '\r\n\r\n')).toString()).to.match(/^HTTP\/1\.1 101 /);
  return running;
}

describe('relay, WebSocket towards the client', () => {
  it('serves a client like that of Realm: zero mask, only the required fields', async () => {
    const { client } = await opened();
    client.write(frame(opcodes.binary, 'hello', zeroMask));
    expect((await until(client, 'hello')).equals(frame(opcodes.binary, 'hello'))).to.equal(true);
  });

  it('accepts Connection: keep-alive, Upgrade, field names in any case, and a real mask', async () => {
    const { client } = await listening();
    const head = requestHead({ connection: 'keep-alive, Upgrade', upgrade: 'WebSocket' });
    client.write(head.replace('host:', 'HOST:'));
    client.write(frame(opcodes.binary, 'hello', Buffer.from([1, 2, 3, 4])));
    const answer = (await until(client, 'hello')).toString('latin1');
    expect(answer).to.contain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n');
  });

  it('gives a client of Realm time to read the answer to its request if the remote sends first', async () => {
    const remote = await loopback.tcpRemote((socket) => socket.write('hi'));
    const { relay } = await loopback.relay(config(endpoint(remote, { listen_transport: words })));
    const client = await loopback.client(listenOf(relay));
    const sentMs = performance.now();
    client.write(requestHead());
    await until(client, 'hi');
    expect(performance.now() - sentMs).to.be.at.least(49); // a timer may be early by a part of a millisecond
  });

  it('serves a client of Node.js, with masks and messages of its own', async () => {
    const remote = await loopback.echo();
    const { relay } = await loopback.relay(
      config(endpoint(remote, { listen_transport: 'ws;host=127.0.0.1;path=/' })),
    );
    const client = new WebSocket(`ws://${listenOf(relay)}/`);
    client.binaryType = 'arraybuffer';
    const sent = Array.from({ length: 40 }, (_, index) => randomBytes(index ** 3));
    const size = sent.reduce((sum, { length }) => sum + length, 0);
    const parts: Buffer[] = [];
    const { promise: all, resolve } = Promise.withResolvers<Buffer>();
    client.addEventListener('message', ({ data }) => {
      parts.push(Buffer.from(data as ArrayBuffer));
      const received = Buffer.concat(parts);
      if (received.length === size) resolve(received);
    });
    client.addEventListener('open', () => {
      for (const part of sent) client.send(part);
    });
    expect((await all).equals(Buffer.concat(sent))).to.equal(true);
    const { promise: closed, resolve: onClosed } = Promise.withResolvers<CloseEvent>();
    client.addEventListener('close', onClosed);
    client.close(1000);
    expect(await closed).to.include({ code: 1000, wasClean: true });
  });

  it('forwards a message before it is complete, however long it is', async () => {
    const { client } = await opened();
    client.write(Buffer.concat([Buffer.from('82ff0000010000000000', 'hex'), zeroMask, Buffer.from('hello')]));
    expect((await until(client, 'hello')).equals(frame(opcodes.binary, 'hello'))).to.equal(true);
  });

  it('answers a ping', async () => {
    const { client } = await opened();
    client.write(frame(opcodes.ping, 'there?', zeroMask));
    expect((await until(client, 'there?')).equals(frame(opcodes.pong, 'there?'))).to.equal(true);
  });

  for (const before of ['', '\r\n', '\r\n\r\n\r\n']) {
    it(`accepts a request after ${JSON.stringify(before)}, at once and byte by byte`, async () => {
      const request = before + requestHead();
      const { client } = await listening();
      client.write(request);
      expect((await until(client, '\r\n\r\n')).toString()).to.match(/^HTTP\/1\.1 101 /);
      const { client: slow } = await listening();
      slow.setNoDelay(true);
      const answer = until(slow, '\r\n\r\n');
      for (const byte of Buffer.from(request)) {
        await new Promise((resolve) => slow.write(Buffer.from([byte]), resolve));
      }
      expect((await answer).toString()).to.match(/^HTTP\/1\.1 101 /);
    });
  }

  it('delivers what follows a close frame of the client: the answer, and then its own close frame', async () => {
    const { client } = await opened();
    const back = until(client, frame(opcodes.close, '\x03\xe8').toString('latin1'));
    client.write(frame(opcodes.binary, 'question', zeroMask));
    client.write(frame(opcodes.close, '', zeroMask));
    expect((await back).toString('latin1')).to.contain('question');
  });

  const wrong = [
    { what: 'another host', head: requestHead({ host: 'other.example' }) },
    { what: 'another path', head: requestHead({}, 'GET /tunnel?x HTTP/1.1') },
    { what: 'another method', head: requestHead({}, 'POST /tunnel HTTP/1.1') },
    { what: 'HTTP/1.0', head: requestHead({}, 'GET /tunnel HTTP/1.0') },
    { what: 'another version', head: requestHead({ 'sec-websocket-version': '8' }) },
    { what: 'no upgrade', head: requestHead({ connection: 'close' }) },
    { what: 'a bad key', head: requestHead({ 'sec-websocket-key': 'short' }) },
    { what: 'two hosts', head: requestHead({ Host: 'relay.example' }) },
    { what: 'a body', head: requestHead({ 'content-length': '1' }) },
    { what: 'a malformed field', head: requestHead({ 'a b': 'c' }) },
    { what: 'a bare line feed behind 8,000 spaces', head: requestHead({ a: `${' '.repeat(7900)}\nx` }) },
    { what: 'a head of more than 8 KiB', head: requestHead({ cookie: 'x'.repeat(8192) }) },
    { what: '8 KiB of empty lines before it', head: `${'\r\n'.repeat(4096)}${requestHead()}` },
    { what: 'a bare carriage return before it', head: `\r${requestHead()}` },
    { what: 'something that is not HTTP', head: '\x16\x03\x01garbage' },
  ];
  for (const { what, head } of wrong) {
    it(`answers a request with ${what} with HTTP 400, without a dial`, async () => {
      const { client, lines, dials } = await listening();
      const answer = received(client);
      client.write(head);
      expect(await answer).to.match(/^HTTP\/1\.1 400 Bad Request\r\n/);
      client.end();
      const line = await loggedLine(lines, 'connection failed');
      expect(line).to.deep.include({ side: 'client', upstream: '', level: 'warn' });
      expect(line['err']).to.include({ code: 'REALM_HANDSHAKE_FAILED' });
      expect(dials()).to.equal(0);
    });
  }

  it('ends a handshake that takes longer than tcp_timeout', async () => {
    const clock = new FakeClock();
    const { client, relay, lines } = await listening({ clock });
    client.write(requestHead().slice(0, 40));
    await eventually('the connection', () => statusOf(relay).connections.active === 1);
    const failed = failure(client);
    clock.advance(5000);
    expect(await failed).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(line['err']).to.include({ message: 'the handshake timed out after 5000 ms' });
  });

  it('closes a refused client that does not close itself, after tcp_timeout', async () => {
    const clock = new FakeClock();
    const { client } = await listening({ clock });
    client.write('POST /');
    await until(client, '\n');
    const failed = failure(client);
    clock.advance(5000);
    expect(await failed).to.be.oneOf(['ECONNRESET', 'END']);
  });

  const broken = [
    { what: 'a frame without a mask', sent: frame(opcodes.binary, 'x') },
    { what: 'text', sent: frame(opcodes.text, 'x', zeroMask) },
    { what: 'something that is no frame', sent: Buffer.from('\xff\xff\xff\xff', 'latin1') },
  ];
  for (const { what, sent } of broken) {
    it(`resets a client that sends ${what}, and logs it`, async () => {
      const { client, lines } = await opened();
      client.write(frame(opcodes.binary, 'hello', zeroMask));
      await until(client, 'hello');
      const failed = failure(client);
      client.write(sent);
      expect(await failed).to.equal('ECONNRESET');
      const line = await loggedLine(lines, 'connection failed');
      expect(line).to.deep.include({ side: 'client', fromClientBytes: 5 });
    });
  }

  it('resets a client whose first message, in the same segment as its request, is not valid', async () => {
    const { client, lines } = await listening();
    const failed = failure(client);
    client.write(Buffer.concat([Buffer.from(requestHead()), frame(opcodes.binary, 'no mask')]));
    expect(await failed).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(line['side']).to.equal('client');
  });

  it('ends after tcp_idle_timeout without a byte', async () => {
    const clock = new FakeClock();
    const network = { tcp_idle_timeout: 60 };
    const { relay, lines } = await loopback.relay(
      config(endpoint(await loopback.echo(), { listen_transport: words }, network)),
      { clock },
    );
    const client = await loopback.client(listenOf(relay));
    client.write(Buffer.concat([Buffer.from(requestHead()), frame(opcodes.binary, 'hello', zeroMask)]));
    await until(client, 'hello');
    const failed = failure(client);
    for (let passed = 0; passed < 70; passed += 1) clock.advance(1000);
    expect(await failed).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(line['err']).to.include({ code: 'REALM_CONNECTION_IDLE' });
  });

  it('a reload changes the transport for new clients, while open connections go on', async () => {
    const remote = await loopback.echo();
    const { relay } = await loopback.relay(config(endpoint(remote, { listen_transport: words })));
    const listen = listenOf(relay);
    const old = await loopback.client(listen);
    old.write(requestHead());
    await until(old, '\r\n\r\n');
    await relay.reload(config(endpoint(remote)));
    const plain = await loopback.client(listen);
    plain.write('plain');
    expect((await until(plain, 'plain')).toString()).to.equal('plain');
    old.write(frame(opcodes.binary, 'hello', zeroMask));
    expect((await until(old, 'hello')).equals(frame(opcodes.binary, 'hello'))).to.equal(true);
  });

  it('ends the dial when the client resets', async () => {
    const dialled = Promise.withResolvers<undefined>();
    const lookup = (): Promise<readonly string[]> => {
      dialled.resolve(undefined);
      return new Promise(() => undefined);
    };
    const { relay, lines } = await loopback.relay(
      config(endpoint('name.example:1', { listen_transport: words }, { tcp_timeout: 0 })),
      { lookup },
    );
    const client = await loopback.client(listenOf(relay));
    client.write(requestHead());
    await dialled.promise;
    client.resetAndDestroy();
    await eventually('the end', () => statusOf(relay).connections.active === 0);
    expect(lines.at(-1)).to.deep.include({ msg: 'connection failed', side: 'client' });
  });
});

describe('relay, WebSocket towards the remote', () => {
  /** A relay in front of a server that answers the request as `serve` does. */
  async function dialling(
    serve: (socket: Socket, head: string) => void,
    extra: string[] = [],
  ): Promise<TestRelay> {
    const remote = await loopback.tcpRemote((socket) => {
      void until(socket, '\r\n\r\n').then((head) => {
        serve(socket, head.toString());
      });
    });
    return loopback.relay(config(endpoint(remote, { remote_transport: words, extra_remotes: extra })));
  }

  it('sends the request of Realm: path and host unchanged, only the required fields', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const path = '/a/../b%20?c=d';
    const remote = await loopback.tcpRemote((socket) => {
      void until(socket, '\r\n\r\n').then((head) => {
        resolve(head.toString());
        socket.destroy();
      });
    });
    const transport = `ws;host=Relay.Example:8080;path=${path}`;
    const { relay } = await loopback.relay(config(endpoint(remote, { remote_transport: transport })));
    await loopback.client(listenOf(relay));
    const [first, ...fields] = (await promise).trimEnd().split('\r\n');
    expect(first).to.equal(`GET ${path} HTTP/1.1`);
    const names = fields.map((field) => field.toLowerCase().split(':')[0]);
    expect(names).to.have.members([
      'host',
      'upgrade',
      'connection',
      'sec-websocket-key',
      'sec-websocket-version',
    ]);
    expect(fields).to.include('host: Relay.Example:8080');
  });

  it('works with a server like that of Realm, and masks with zero', async () => {
    const { relay } = await dialling((socket, head) => {
      const key = /sec-websocket-key: (\S+)/i.exec(head)?.[1] ?? '';
      socket.write(switching.replace('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', acceptOf(key)));
      socket.on('data', (part: Buffer) => {
        socket.write(frame(opcodes.binary, part.toString('hex')));
      });
    });
    const client = await loopback.client(listenOf(relay));
    client.write('hello');
    const expected = frame(opcodes.binary, 'hello', zeroMask).toString('hex');
    expect((await until(client, expected)).toString()).to.equal(expected);
  });

  it('resets the client if the first message of the server, in the same segment as its answer, is not valid', async () => {
    const { relay, lines } = await dialling((socket, head) => {
      const key = /sec-websocket-key: (\S+)/i.exec(head)?.[1] ?? '';
      const answer = switching.replace('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', acceptOf(key));
      socket.write(Buffer.concat([Buffer.from(answer), frame(opcodes.text, 'text')]));
    });
    const client = await loopback.client(listenOf(relay));
    expect(await failure(client)).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(line['side']).to.equal('upstream');
  });

  const refusing = [
    {
      what: 'answers with another status than 101',
      answer: 'HTTP/1.1 400 Bad Request\r\n\r\n',
      why: /HTTP status 400/,
    },
    { what: 'does not prove that it knows WebSocket', answer: switching, why: /Sec-WebSocket-Accept/ },
    {
      what: 'answers something that is no HTTP',
      answer: 'SSH-2.0-x\r\n\r\n',
      why: /WebSocket handshake failed/,
    },
    {
      what: 'answers with an endless head',
      answer: `HTTP/1.1 101 x\r\n${'a: b\r\n'.repeat(9000)}`,
      why: /failed/,
    },
  ];
  for (const { what, answer, why } of refusing) {
    it(`tries the next remote if one ${what}, and logs why`, async () => {
      const next = await loopback.tcpRemote((socket) => {
        void until(socket, '\r\n\r\n').then((head) => {
          const key = /sec-websocket-key: (\S+)/i.exec(head.toString())?.[1] ?? '';
          socket.write(switching.replace('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', acceptOf(key)));
          socket.write(frame(opcodes.binary, 'next'));
        });
      });
      const { relay, lines } = await dialling((socket) => socket.write(answer), [next]);
      const client = await loopback.client(listenOf(relay));
      expect((await until(client, 'next')).toString()).to.equal('next');
      const line = lines.find(({ msg }) => msg === 'remote failed, trying the next');
      expect((line?.['err'] as Error).message).to.match(why);
    });
  }

  it('ends a handshake that takes longer than tcp_timeout', async () => {
    const clock = new FakeClock();
    const asked = Promise.withResolvers<undefined>();
    const remote = await loopback.tcpRemote((socket) => {
      socket.once('data', () => {
        asked.resolve(undefined);
      });
    });
    const { relay, lines } = await loopback.relay(config(endpoint(remote, { remote_transport: words })), {
      clock,
    });
    const client = await loopback.client(listenOf(relay));
    await asked.promise;
    const failed = failure(client);
    clock.advance(5000);
    expect(await failed).to.equal('ECONNRESET');
    await loggedLine(lines, 'connection failed');
    await once(client, 'close');
  });
});

function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
