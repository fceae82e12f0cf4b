import { unquoted } from './yaml-positions.ts';
import { lineAt, type ParserStop } from './yaml-reasons.ts';

/** More unquoted addresses in a document are reported once these are corrected. */
const maxRepairs = 50;

/** An address that was put in quotes, and what is wrong with it; nothing if kubectl reads it without. */
type Repair = {
  /** Of the opening quote, and of the closing one. */
  readonly offset: number;
  readonly end: number;
  readonly fault?: ReturnType<typeof unquoted>;
};

/**
 * Quotes addresses that end with a colon, such as `::`, so that the rest of the document can be checked. The parser does not
 * read them; kubectl reads `fe80::` inside brackets, and no other.
 */
export class Repairs {
  readonly made: Repair[] = [];
  #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text with all repairs. */
  get text(): string {
    return this.#text;
  }

  /** Repairs what the parser stopped at; false if that is something else. */
  repair({ offset, reason }: ParserStop): boolean {
    if (this.made.length === maxRepairs) return false;
    const isFlow = /flow collection|node content/.test(reason);
    const start = this.#text.lastIndexOf('\n', offset - 1) + 1;
    const { address, index } = unquotedAddress(lineAt(this.#text, offset), isFlow);
    if (address === undefined) return false;
    const at = start + index;
    this.#text = `${this.#text.slice(0, at)}"${address}"${this.#text.slice(at + address.length)}`;
    const isRefused = !isFlow || address.startsWith(':');
    const fault = isFlow ? unquoted(address) : lastColon(address);
    this.made.push({ offset: at, end: at + address.length + 1, ...(isRefused && { fault }) });
    return true;
  }

  /** The offset in the text before all repairs that `offset` in the repaired one was. */
  original(offset: number): number {
    const quotes = this.made.flatMap(({ offset: opening, end }) => [opening, end]);
    return offset - quotes.filter((quote) => quote < offset).length;
  }
}

function lastColon(value: string): ReturnType<typeof unquoted> {
  const what = 'ends with a colon, which kubectl reads as that of a key';
  return { what, value, remedy: `quote "${value}"` };
}

type Found = { readonly address?: string; readonly index: number };

/** The first address of `line` that ends with a colon and is a value: inside brackets if `isFlow`. */
function unquotedAddress(line: string, isFlow: boolean): Found {
  for (const { 0: address, index } of line.matchAll(/[0-9A-Fa-f.:]+/g)) {
    if (!address.endsWith(':') || !address.includes('::')) continue;
    const before = line.slice(0, index);
    const after = line.slice(index + address.length).trimStart();
    if (isFlow ? isFlowValue(before, after) : isBlockValue(before, after)) return { address, index };
  }
  return { index: -1 };
}

function isFlowValue(before: string, after: string): boolean {
  return /[:,[{]/.test(before.trimEnd().slice(-1)) && /^(?:[,}\]]|$)/.test(after);
}

function isBlockValue(before: string, after: string): boolean {
  return /\s/.test(before.slice(-1)) && /[:-]/.test(before.trimEnd().slice(-1)) && /^(?:#|$)/.test(after);
}
