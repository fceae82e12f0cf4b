/** A fenced block of a page, or a line that only tests read. */
export type Block = {
  /** The path of the page in the repository. */
  readonly page: string;
  /** The line of the fence, counted from 1. */
  readonly line: number;
  /** The first word after the fence, `''` without one; `event` for a comment `<!-- test: NAME -->`. */
  readonly language: string;
  /** The other words without `=`. */
  readonly words: readonly string[];
  /** The words with `=`, such as `file=web.yaml`; a value in double quotes may have spaces. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The content without the fences and their indent; of an event, its name. */
  readonly text: string;
};

const fence = /^( *)(`{3,})([^\n`]*)$/;
const event = /^ *<!-- test: (.+) -->$/;

/** The blocks of a page in their order. */
export function blocksOf(page: string, source: string): readonly Block[] {
  const lines = source.split('\n');
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const [, name] = event.exec(line) ?? [];
    if (name !== undefined) {
      blocks.push({ page, line: at + 1, language: 'event', words: [], attributes: {}, text: name });
    }
    const [, indent, marks, info = ''] = fence.exec(line) ?? [];
    if (indent === undefined || marks === undefined) continue;
    const begin = at + 1;
    const end = closingLine(lines, begin, marks);
    const text = lines.slice(begin, end).map((each) => withoutIndent(each, indent.length));
    blocks.push({ page, line: begin, ...parsedInfo(info), text: text.map((each) => `${each}\n`).join('') });
    at = end;
  }
  return blocks;
}

/** The line that closes the fence, or the end of the page (CommonMark, section 4.5). */
function closingLine(lines: readonly string[], from: number, marks: string): number {
  const found = lines.findIndex((line, at) => at >= from && line.trim() === marks);
  return found < 0 ? lines.length : found;
}

function withoutIndent(line: string, indent: number): string {
  const own = line.length - line.trimStart().length;
  return line.slice(Math.min(own, indent));
}

function parsedInfo(info: string): Pick<Block, 'language' | 'words' | 'attributes'> {
  const [language = '', ...rest] = info.match(/[^\s"]+(?:"[^"]*")?/g) ?? [];
  const pairs = rest.filter((word) => word.includes('='));
  return {
    language,
    words: rest.filter((word) => !word.includes('=')),
    attributes: Object.fromEntries(
      pairs.map((pair) => {
        const at = pair.indexOf('=');
        return [pair.slice(0, at), pair.slice(at + 1).replace(/^"|"$/g, '')];
      }),
    ),
  };
}
