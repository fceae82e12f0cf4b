const newline = 0x0a;
const space = 0x20;

/**
 * The lines of a stream of bytes, without line ends. Blank lines are skipped; a last line without an end is included.
 *
 * @throws the error of the stream.
 */
export async function* byteLines(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let begun: Buffer[] = [];
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const line = joined(begun, chunk.subarray(from, end));
      begun = [];
      from = end + 1;
      if (!isBlank(line)) yield line;
    }
    if (from < chunk.length) begun.push(chunk.subarray(from));
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
