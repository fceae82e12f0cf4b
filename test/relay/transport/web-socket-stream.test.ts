import { once } from 'node:events';
import { duplexPair, type Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import { systemClock } from '../../../src/lib/clock.ts';
import { WebSocketStream } from '../../../src/relay/transport/web-socket-stream.ts';
import { frame, opcodes, until, zeroMask } from './frames.ts';

const years = 2 ** 31 - 1;
const rest = Buffer.alloc(0);
/** A server's close frame with code 1000. */
const closed = Buffer.from('880203e8', 'hex');

/** The stream of a server, and what its client writes to. */
function pair(silenceMs = 0): { stream: WebSocketStream; client: Duplex } {
  const [client, below] = duplexPair();
  const pings = { intervalMs: 0 };
  const options = { isServer: true, rest, silenceMs, pings, clock: systemClock };
  return { stream: new WebSocketStream(below, options), client };
}

describe('WebSocket stream with an initial silence', () => {
  it('sends once the client has sent something', async () => {
    const { client, stream } = pair(years);
    stream.end('hello');
    stream.resume();
    expect(client.readableLength).to.equal(0);
    client.write(frame(opcodes.binary, 'x', zeroMask));
    expect(await until(client, closed)).to.deep.equal(
      Buffer.concat([frame(opcodes.binary, 'hello'), closed]),
    );
  });

  it('sends what it has once the client has ended', async () => {
    const { client, stream } = pair(years);
    stream.end('hello');
    stream.resume();
    client.write(frame(opcodes.close, '', zeroMask));
    expect(await until(client, closed)).to.deep.equal(
      Buffer.concat([frame(opcodes.binary, 'hello'), closed]),
    );
  });
});

describe('WebSocket stream', () => {
  it('answers the latest of many pings whose answers the client does not read', async () => {
    const { client, stream } = pair();
    stream.resume();
    const pings = Array.from({ length: 10_000 }, (_, index) =>
      frame(opcodes.ping, String(index).padStart(125), zeroMask),
    );
    for (const ping of pings) if (!client.write(ping)) await once(client, 'drain');
    expect(client.readableLength).to.be.below(100_000);
    const read = await until(client, frame(opcodes.pong, '9999'.padStart(125)));
    expect(read.length).to.be.below(200_000);
  });

  it('stops reading while nobody reads the payload', async () => {
    const { client, stream } = pair();
    stream.read(0);
    const message = Buffer.concat(Array<Buffer>(8).fill(frame(opcodes.binary, 'x'.repeat(125), zeroMask)));
    const drained = async (): Promise<boolean> => {
      await setImmediate();
      return !client.writableNeedDrain;
    };
    let written = 0;
    for (; written < 2 ** 22 && (client.write(Buffer.from(message)) || (await drained()));)
      written += message.length;
    expect(written).to.be.below(2 ** 20);
    expect(stream.readableLength).to.be.below(2 ** 20);
    stream.resume();
    await once(client, 'drain');
  });
});
