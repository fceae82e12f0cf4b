/**
 * The lines of a stream of UTF-8 bytes, each parsed as JSON; empty lines are skipped.
 *
 * @throws SyntaxError at a line that is not JSON, also at a last one that was cut; whatever the stream fails with.
 */
export async function* jsonLines(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<unknown, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = decoder.decode(chunk, { stream: true }).split('\n');
    lines[0] = rest + (lines[0] ?? '');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line);
  }
  if (rest.trim() !== '') yield JSON.parse(rest);
}
