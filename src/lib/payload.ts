/** The most characters that the text of a datagram may have. */
export const maxPayloadLength = 1024;

/** What to do about a text that `payloadBytes` does not read. */
export const payloadRemedy = `write 1 to ${String(maxPayloadLength)} characters, with \\xNN for a byte in hexadecimal, \\r, \\n, \\t, and \\\\ for a backslash`;

/** The text of a datagram; a multi-line text, too. */
export const payloadPattern = /^([^\\]|\\x[0-9A-Fa-f]{2}|\\[rnt\\])+$/;

const escapes = new Map([
  ['\\r', '\r'],
  ['\\n', '\n'],
  ['\\t', '\t'],
  ['\\\\', '\\'],
]);

/**
 * The bytes that `text` stands for: UTF-8, with the escapes `\xNN` (one byte), `\r`, `\n`, `\t` and `\\`.
 *
 * @returns undefined if `text` is empty, too long, or has another escape.
 */
export function payloadBytes(text: string): Buffer | undefined {
  if (text.length > maxPayloadLength || !payloadPattern.test(text)) return undefined;
  const parts = text.match(/\\x[0-9A-Fa-f]{2}|\\.|[^\\]+/g) ?? [];
  return Buffer.concat(parts.map(partBytes));
}

function partBytes(part: string): Buffer {
  if (part.startsWith('\\x')) return Buffer.from(part.slice(2), 'hex');
  return Buffer.from(escapes.get(part) ?? part);
}
