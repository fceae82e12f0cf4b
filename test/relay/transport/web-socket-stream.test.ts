import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import { HalfOpenWebSocket, WebSocketStream } from '../../../src/relay/transport/web-socket-stream.ts';
import { memoryBudget } from '../../support/memory-budget.ts';
import { Loopback } from '../loopback.ts';

const loopback = new Loopback();

afterEach(() => loopback.closeAll());

const years = 2 ** 31 - 1;

/** A client, and the stream of the other side, which sends nothing for years unless the client does. */
async function silentPair(): Promise<{ client: WebSocket; stream: WebSocketStream }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', WebSocket: HalfOpenWebSocket });
  loopback.onClose(() => {
    server.close();
  });
  const accepted = once(server, 'connection') as Promise<[HalfOpenWebSocket]>;
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${String(port)}`);
  loopback.onClose(() => {
    client.terminate();
  });
  const [[socket]] = await Promise.all([accepted, once(client, 'open')]);
  const stream = new WebSocketStream(socket, { below: new PassThrough(), memory: memoryBudget() }, years);
  return { client, stream };
}

describe('WebSocket stream with an initial silence', () => {
  it('sends once the client has sent something', async () => {
    const { client, stream } = await silentPair();
    const answer = once(client, 'message') as Promise<[Buffer]>;
    stream.end('hello');
    stream.resume();
    client.send(Buffer.from('x'));
    expect((await answer)[0].toString()).to.equal('hello');
    await once(client, 'close');
  });

  it('sends what it has once the client has ended', async () => {
    const { client, stream } = await silentPair();
    stream.end('hello');
    stream.resume();
    const answer = once(client, 'message') as Promise<[Buffer]>;
    client.close();
    const [[message]] = await Promise.all([answer, once(client, 'close'), once(stream, 'close')]);
    expect(message.toString()).to.equal('hello');
  });
});
