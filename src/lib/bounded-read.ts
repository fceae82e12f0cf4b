import { RealmError } from './errors.ts';

/** Something from outside is larger than what is read of its kind. */
export class TooLargeError extends RealmError {
  readonly code = 'REALM_TOO_LARGE';

  /** @param what  the subject of the message, e.g. `the answer`. */
  constructor(what: string, maxBytes: number) {
    super(`${what} is larger than ${String(maxBytes)} bytes`);
  }
}

/**
 * Reads `stream` to its end, or until there is more than `maxBytes`: then it is destroyed.
 *
 * @returns the bytes, at most `maxBytes`, and whether those are all.
 * @throws the error of the stream.
 */
export async function readAtMost(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) break; // which destroys the stream
  }
  const bytes = Buffer.concat(chunks).subarray(0, maxBytes);
  return { bytes, isWhole: length <= maxBytes };
}

/**
 * The text of `stream` in UTF-8.
 *
 * @param what  the stream is, for the message.
 * @throws TooLargeError if there is more than `maxBytes`; the error of the stream.
 */
export async function boundedText(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
  what: string,
): Promise<string> {
  const { bytes, isWhole } = await readAtMost(stream, maxBytes);
  if (!isWhole) throw new TooLargeError(what, maxBytes);
  return bytes.toString();
}
