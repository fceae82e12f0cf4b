import { isUtf8 } from 'node:buffer';
import type { Diagnosis } from '../lib/problem.ts';

/** The text of a file, and what is unusual about its encoding. */
export type DecodedText =
  | { readonly text: string; readonly warning?: Diagnosis }
  | { readonly fault: Diagnosis; /** The text before it. */ readonly before: string };

const remedy = 'save it as UTF-8';

/** Decodes what kubectl does: UTF-8, and UTF-16 that begins with a byte order mark, as editors and shells of Windows write it. */
export function decodedText(bytes: Buffer): DecodedText {
  if (hasMark(bytes, [0xff, 0xfe, 0, 0]) || hasMark(bytes, [0, 0, 0xfe, 0xff]))
    return { fault: { what: 'is UTF-32', remedy }, before: '' };
  if (hasMark(bytes, [0xff, 0xfe])) return utf16(bytes, 'utf-16le');
  if (hasMark(bytes, [0xfe, 0xff])) return utf16(bytes, 'utf-16be');
  if (bytes.length > 1 && (bytes[0] === 0 || bytes[1] === 0))
    return { fault: { what: 'is UTF-16 without a byte order mark', remedy }, before: '' };
  if (isUtf8(bytes)) return { text: bytes.toString().replace(/^\uFEFF/, '') };
  return { fault: { what: 'is not UTF-8', remedy }, before: validStart(bytes) };
}

function hasMark(bytes: Buffer, mark: readonly number[]): boolean {
  return mark.every((byte, index) => bytes[index] === byte);
}

function utf16(bytes: Buffer, encoding: 'utf-16le' | 'utf-16be'): DecodedText {
  const text = new TextDecoder(encoding).decode(bytes);
  return { text, warning: { what: 'is UTF-16, which kubectl reads and many tools do not', remedy } };
}

/** The text of `bytes` up to the first that is not UTF-8. */
function validStart(bytes: Buffer): string {
  let [valid, end] = [0, bytes.length];
  while (valid < end) {
    const middle = (valid + end + 1) >> 1;
    // A cut inside a character is not its fault: up to three bytes may follow.
    if ([0, 1, 2, 3].some((more) => isUtf8(bytes.subarray(0, middle + more)))) valid = middle;
    else end = middle - 1;
  }
  return bytes.subarray(0, valid).toString();
}
