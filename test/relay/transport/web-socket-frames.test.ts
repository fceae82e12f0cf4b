import { expect } from 'chai';
import { errorCode } from '../../../src/lib/errors.ts';
import { FrameReader, frameWriter } from '../../../src/relay/transport/web-socket-frames.ts';

/** Reads `parts` as the server that a client sends them to, or as the client; `events` has pings, and the end. */
function read(parts: readonly Buffer[], isServer = true): { payloads: string[]; events: string[] } {
  const events: string[] = [];
  const reader = new FrameReader(isServer, {
    onPing: (payload) => events.push(`ping ${payload.toString()}`),
    onPong: () => events.push('pong'),
  });
  const payloads = parts.map((part) => reader.read(Buffer.from(part)).toString());
  if (reader.isClosed) events.push('close');
  return { payloads, events };
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const zero = '00000000';

describe('WebSocket frames', () => {
  it('pass on the payload of a message before it is complete', () => {
    const parts = [hex(`82ff 0000010000000000 ${zero}`), Buffer.from('a'), Buffer.from('bc')];
    expect(read(parts).payloads).to.deep.equal(['', 'a', 'bc']);
  });

  it('are the same however they are cut, with any mask', () => {
    const ping = hex('8983 01020304 7062 7b'); // "q`x"
    const fragments = [hex('0283 11223344 706070'), ping, hex('8082 ffffffff 9b9a')]; // "aBC", "de"
    const all = Buffer.concat([...fragments, hex(`82fe 0003 ${zero}`), Buffer.from('fgh')]);
    const expected = { payload: 'aBCdefgh', events: ['ping q`x'] };
    for (let size = 1; size <= all.length; size += 1) {
      const parts = [];
      for (let at = 0; at < all.length; at += size) parts.push(all.subarray(at, at + size));
      const { payloads, events } = read(parts);
      expect({ payload: payloads.join(''), events }, String(size)).to.deep.equal(expected);
    }
  });

  it('that answer a ping are reported', () => {
    expect(read([hex(`8a80 ${zero} 8a81 ${zero} 61`)]).events).to.deep.equal(['pong', 'pong']);
  });

  it('that are small become one part', () => {
    const frames = Buffer.concat(
      Array.from('many', (each) => Buffer.concat([hex(`8281 ${zero}`), Buffer.from(each)])),
    );
    expect(read([frames]).payloads).to.deep.equal(['many']);
  });

  it('that follow a close frame are ignored', () => {
    const { payloads, events } = read([
      hex(`8282 ${zero} 6869 8882 ${zero} 03e8 8281 ${zero} 78`),
      hex('ff'),
    ]);
    expect({ payloads, events }).to.deep.equal({ payloads: ['hi', ''], events: ['close'] });
  });

  const invalid = [
    { why: 'a client without a mask', frame: '820161' },
    { why: 'a reserved bit', frame: `c281${zero}61` },
    { why: 'an unknown data frame', frame: `8381${zero}61` },
    { why: 'an unknown control frame', frame: `8b80${zero}` },
    { why: 'text', frame: `8181${zero}61` },
    { why: 'a fragment of no message', frame: `8081${zero}61` },
    { why: 'a message within another', frame: `0280${zero}8280${zero}` },
    { why: 'a fragmented ping', frame: `0980${zero}` },
    { why: 'a ping of 126 bytes', frame: `89fe007e${zero}` },
    { why: 'a length that is negative', frame: `82ff8000000000000001${zero}` },
    { why: 'a length above 2^53', frame: `82ff0040000000000000${zero}` },
    { why: 'a close frame of one byte', frame: `8881${zero}03` },
    { why: 'a close code that no peer sends', frame: `8882${zero}03ed` },
    { why: 'a reason that is not UTF-8', frame: `8883${zero}03e8ff` },
  ];
  for (const { why, frame } of invalid) {
    it(`fail on ${why}`, () => {
      expect(() => read([hex(frame)]))
        .to.throw()
        .and.satisfy((error: unknown) => errorCode(error) === 'REALM_HANDSHAKE_FAILED');
    });
  }

  it('of a server that are masked fail', () => {
    expect(() => read([hex(`8281${zero}61`)], false)).to.throw('a mask');
  });

  const lengths = [
    { bytes: 125, server: '827d', client: '82fd' },
    { bytes: 126, server: '827e007e', client: '82fe007e' },
    { bytes: 65_535, server: '827effff', client: '82feffff' },
    { bytes: 65_536, server: '827f0000000000010000', client: '82ff0000000000010000' },
  ];
  for (const { bytes, server, client } of lengths) {
    it(`of ${String(bytes)} bytes are written with the shortest head`, () => {
      expect(frameWriter(false).binaryHead(bytes).toString('hex')).to.equal(server);
      expect(frameWriter(true).binaryHead(bytes).toString('hex')).to.equal(client + zero);
    });
  }

  it('of a client carry a mask of zeros, those of a server none', () => {
    const [server, client] = [frameWriter(false), frameWriter(true)];
    expect(server.close().toString('hex')).to.equal('880203e8');
    expect(client.close().toString('hex')).to.equal(`8882${zero}03e8`);
    expect(server.ping().toString('hex')).to.equal('8900');
    expect(client.ping().toString('hex')).to.equal(`8980${zero}`);
    expect(client.pong(Buffer.from('a')).toString('hex')).to.equal(`8a81${zero}61`);
  });
});
