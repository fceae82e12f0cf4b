import { TooLargeError } from '../lib/bounded-read.ts';

const newline = 0x0a;
const space = 0x20;

/** An object takes at most 3 MiB; the initial events of a watch are lines of one object, too. */
const maxLineBytes = 16 * 1024 * 1024;

/**
 * The lines of a stream of bytes, without line ends. Blank lines are skipped; a last line without an end is included.
 *
 * @throws TooLargeError if a line is longer than 16 MiB; the error of the stream.
 */
export async function* byteLines(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let begun: Buffer[] = [];
  let begunBytes = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const line = joined(begun, chunk.subarray(from, end));
      [begun, begunBytes] = [[], 0];
      from = end + 1;
      if (!isBlank(line)) yield line;
    }
    if (from === chunk.length) continue;
    begun.push(chunk.subarray(from));
    begunBytes += chunk.length - from;
    if (begunBytes > maxLineBytes) throw new TooLargeError('a line of the watch', maxLineBytes);
  }
  const rest = Buffer.concat(begun);
  if (!isBlank(rest)) yield rest;
}

function joined(begun: readonly Buffer[], end: Buffer): Buffer {
  return begun.length === 0 ? end : Buffer.concat([...begun, end]);
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte <= space);
}
