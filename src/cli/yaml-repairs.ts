import { closingBracket, openBracket } from './yaml-brackets.ts';
import { unquoted } from './yaml-positions.ts';
import { lineAt, type ParserStop } from './yaml-reasons.ts';

/** More unquoted addresses in a document are reported once these are corrected. */
const maxRepairs = 50;

/** An address that was put in quotes, and what is wrong with it; nothing if kubectl reads it without. */
type Repair = {
  /** Of the opening quote. */
  readonly offset: number;
  readonly fault?: ReturnType<typeof unquoted>;
};

/** Characters that are not in the original text, at an offset of the repaired one. */
type Insertion = { readonly offset: number; readonly length: number };

/**
 * Changes what kubectl reads and the parser does not, and what neither reads if the rest of the document can be checked then:
 *
 * - Addresses that end with a colon, such as `::`, are quoted. kubectl reads `fe80::` inside brackets, and no other.
 * - Inside brackets, tabs become spaces, and lines are indented like the bracket: to kubectl, white space has no meaning there.
 */
export class Repairs {
  readonly made: Repair[] = [];
  readonly #insertions: Insertion[] = [];
  #count = 0;
  #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text with all repairs. */
  get text(): string {
    return this.#text;
  }

  /** Repairs what the parser stopped at; false if that is something else. */
  repair(stop: ParserStop): boolean {
    this.#count += 1;
    if (this.#count > maxRepairs) return false;
    return this.#quote(stop) || this.#indent(stop);
  }

  #quote({ offset, reason }: ParserStop): boolean {
    const isFlow = /flow collection|node content/.test(reason);
    const start = this.#text.lastIndexOf('\n', offset - 1) + 1;
    const { address, index } = unquotedAddress(lineAt(this.#text, offset), isFlow);
    if (address === undefined) return false;
    const at = start + index;
    this.#text = `${this.#text.slice(0, at)}"${address}"${this.#text.slice(at + address.length)}`;
    const isRefused = !isFlow || address.startsWith(':');
    const fault = isFlow ? unquoted(address) : lastColon(address);
    this.made.push({ offset: at, ...(isRefused && { fault }) });
    this.#insertions.push({ offset: at, length: 1 }, { offset: at + address.length + 1, length: 1 });
    return true;
  }

  #indent({ offset, reason }: ParserStop): boolean {
    const text = this.#text;
    const open = /^deficient indentation/.test(reason) ? openBracket(text.slice(0, offset)) : undefined;
    const close = open === undefined ? undefined : closingBracket(text, open);
    if (open === undefined || close === undefined || tabAfterWord.test(text.slice(open, close))) return false;
    let from = offset;
    while (text[from - 1] === ' ' || text[from - 1] === '\t') from -= 1;
    const first = text.slice(from, offset).replaceAll('\t', ' ');
    const isLine = /[\r\n]$/.test(text.slice(0, from));
    if (!isLine) return this.#replace(from, offset, first);
    const width = open - text.lastIndexOf('\n', open);
    return this.#replace(from, close, this.#indented(text.slice(from, close), { from, width }));
  }

  /** `text`, which begins at `from`, with at least `width` spaces before each line. */
  #indented(text: string, { from, width }: { readonly from: number; readonly width: number }): string {
    let added = 0;
    return text.replaceAll(/(?<=^|[\r\n])[ \t]*(?=[^\r\n]|$)/g, (blanks, index: number) => {
      const missing = Math.max(0, width - blanks.length);
      if (missing > 0) this.#insertions.push({ offset: from + index + added, length: missing });
      added += missing;
      return ' '.repeat(blanks.length + missing);
    });
  }

  #replace(from: number, to: number, replacement: string): boolean {
    const before = this.#text;
    this.#text = before.slice(0, from) + replacement + before.slice(to);
    return this.#text !== before;
  }

  /** The offset in the text before all repairs that `offset` in the repaired one was. */
  original(offset: number): number {
    return this.#insertions
      .filter(({ offset: at }) => at < offset)
      .reduce((original, { offset: at, length }) => original - Math.min(length, offset - at), offset);
  }
}

/** Source: go.yaml.in/yaml/v2, scannerc.go: a tab that indents the line after an unquoted value is an error inside brackets, too. */
const tabAfterWord = /[^\s,:{}[\]"'][ \t]*[\r\n]\s*\t/;

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
