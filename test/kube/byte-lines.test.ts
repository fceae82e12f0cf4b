import { Readable } from 'node:stream';
import { expect } from 'chai';
import { byteLines } from '../../src/kube/byte-lines.ts';

async function linesOf(...chunks: readonly (string | Buffer)[]): Promise<string[]> {
  const lines: string[] = [];
  const stream = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
  for await (const line of byteLines(stream)) lines.push(line.toString());
  return lines;
}

describe('byteLines', () => {
  it('cuts at the end of each line, wherever the chunks end', async () => {
    const text = Buffer.from('{"a":"ä"}\n{"b":"€"}\n');
    for (let at = 0; at <= text.length; at += 1)
      expect(await linesOf(text.subarray(0, at), text.subarray(at))).to.deep.equal([
        '{"a":"ä"}',
        '{"b":"€"}',
      ]);
  });

  it('gives a last line that was cut', async () => {
    expect(await linesOf('one\ntwo')).to.deep.equal(['one', 'two']);
  });

  it('gives a line that many chunks have parts of', async () => {
    expect(await linesOf('a', 'b', '', 'c', 'd\n')).to.deep.equal(['abcd']);
  });

  it('ends at a line of more than 16 MiB, and names it', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    let sent = 0;
    const endless = Readable.from(
      (function* () {
        for (; sent < 1_000; sent += 1) yield chunk;
      })(),
    );
    const error: unknown = await byteLines(endless)
      .next()
      .catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'a line of the watch is larger than 16777216 bytes');
    expect(sent).to.be.below(300);
  });

  it('skips blank lines', async () => {
    expect(await linesOf('\n', ' \r\n\none\n \n')).to.deep.equal(['one']);
  });
});
