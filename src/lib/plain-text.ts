/** Characters that end a line or control a terminal, and those that reverse the order of text around them. */
const control = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;
const bidirectional = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * `text` of a stranger as one line that is safe to show: without control characters and bidirectional controls, at most
 * `maxCharacters` code points and a `…` where it was cut.
 */
export function plainText(text: string, maxCharacters: number): string {
  // A code point is at most two units, so what is behind them is never kept.
  const start = text.slice(0, 2 * maxCharacters + 2).toWellFormed();
  const characters = Array.from(start.replaceAll(bidirectional, '').replaceAll(control, ' '));
  const isCut = characters.length > maxCharacters || start.length < text.length;
  return isCut ? `${characters.slice(0, maxCharacters).join('')}…` : characters.join('');
}

/** The first `maxCharacters` code points of `text`, followed by a `…` if that is not all of it. */
export function cutToCharacters(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const characters = Array.from(text.slice(0, 2 * maxCharacters + 2));
  const isCut = characters.length > maxCharacters;
  return isCut ? `${characters.slice(0, maxCharacters).join('')}…` : text;
}

/** `text`, cut between characters so that it takes at most `maxBytes` in UTF-8; it then ends in `…`. */
export function cutToBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes - ellipsisBytes;
  while (end > 0 && isContinuation(bytes[end])) end -= 1;
  return `${bytes.toString('utf8', 0, end)}…`;
}

const ellipsisBytes = Buffer.byteLength('…');

function isContinuation(byte = 0): boolean {
  return (byte & 0xc0) === 0x80;
}

/** The first character of `text` that looks like nothing, or like a space, as U+200B; undefined if there is none. */
export function invisibleCharacter(text: string): string | undefined {
  const code = /[\u0085\u00A0\u00AD\u200B-\u200F\u2028-\u202F\u2060\uFEFF]/.exec(text)?.[0].charCodeAt(0);
  return code === undefined ? undefined : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}
