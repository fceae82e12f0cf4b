import { fault, type ForeignNote } from './foreign.ts';

/** A directive of nginx: its words, and the directives in its block. */
export type NginxDirective = {
  /** Counted from 1. */
  readonly line: number;
  readonly words: readonly string[];
  /** Absent if it has no block. */
  readonly block?: readonly NginxDirective[];
};

/** The directives of a file, and where nginx would reject it. */
export type NginxFile = { readonly directives: readonly NginxDirective[]; readonly faults: ForeignNote[] };

type Word = { readonly text: string; readonly line: number; readonly isFirstOfLine: boolean };
type Open = { readonly line: number; readonly words: readonly string[]; readonly block: NginxDirective[] };

const tokens = /\n|#.*|[;{}]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|\$\{\w+\}|[^\s;{}\\])+/g;

/**
 * Reads a file. What is not closed ends with the file, and a directive without its `;` ends where the next one begins.
 *
 * Source: nginx, "Configuration file's structure".
 *
 * @param isDirective  whether the words from one on, which begins a line, are a directive.
 */
export function nginxFile(text: string, isDirective: (words: readonly string[]) => boolean): NginxFile {
  const reader = new BlockReader(isDirective);
  let line = 1;
  let isFirstOfLine = true;
  for (const [token] of text.matchAll(tokens)) {
    if (!token.startsWith('#') && token !== '\n') reader.take({ text: token, line, isFirstOfLine });
    line += token.split('\n').length - 1;
    isFirstOfLine = token === '\n';
  }
  return reader.end();
}

class BlockReader {
  readonly #isDirective: (words: readonly string[]) => boolean;
  readonly #faults: ForeignNote[] = [];
  readonly #root: Open = { line: 1, words: [], block: [] };
  readonly #open: Open[] = [this.#root];
  #words: Word[] = [];

  constructor(isDirective: (words: readonly string[]) => boolean) {
    this.#isDirective = isDirective;
  }

  take(token: Word): void {
    if (token.text === ';') this.#add(this.#split());
    else if (token.text === '{') this.#openBlock(token.line);
    else if (token.text === '}') this.#closeBlock(token.line);
    else this.#words.push(token);
  }

  end(): NginxFile {
    this.#endDirective();
    while (this.#open.length > 1) {
      const { line, words } = this.#open.at(-1) ?? this.#root;
      this.#report({ line, word: words.join(' ') }, 'has a block without an end', 'add } where it ends');
      this.#leave();
    }
    return { directives: this.#root.block, faults: this.#faults };
  }

  #openBlock(line: number): void {
    const words = this.#split();
    this.#open.push({ line: words[0]?.line ?? line, words: words.map(plain), block: [] });
  }

  #closeBlock(line: number): void {
    this.#endDirective();
    if (this.#open.length > 1) this.#leave();
    else this.#report({ line, word: '}' }, 'ends no block', 'remove it, or add the { before it');
  }

  /** Ends a directive that a bracket or the file ends instead of `;`. */
  #endDirective(): void {
    if (this.#words.length > 0) this.#add(this.#ended(this.#split()));
  }

  #leave(): void {
    const closed = this.#open.pop();
    if (closed !== undefined) this.#open.at(-1)?.block.push(closed);
  }

  #add(words: readonly Word[]): void {
    this.#open.at(-1)?.block.push({ line: words[0]?.line ?? 1, words: words.map(plain) });
  }

  /** Takes the words so far: those before a further directive end without `;`. */
  #split(): readonly Word[] {
    let words: readonly Word[] = this.#words;
    this.#words = [];
    for (;;) {
      const next = words.findIndex(
        ({ isFirstOfLine }, index) =>
          index > 0 && isFirstOfLine && this.#isDirective(words.slice(index).map(plain)),
      );
      if (next < 0) return words;
      this.#add(this.#ended(words.slice(0, next)));
      words = words.slice(next);
    }
  }

  #ended(words: readonly Word[]): readonly Word[] {
    const last = words.at(-1);
    if (last !== undefined) {
      const place = { line: last.line, word: words.map(plain).join(' ') };
      this.#report(place, 'does not end with ;', 'add it at the end of this line');
    }
    return words;
  }

  /** Blocks that are not read may be in another language. */
  #report(place: Pick<ForeignNote, 'line' | 'word'>, what: string, remedy: string): void {
    const isRead = this.#open.every(({ words: [name = ''] }) => !/^(?:http|mail)$|_by_lua_block$/.test(name));
    if (isRead) this.#faults.push(fault(place, what, remedy));
  }
}

function plain({ text }: Word): string {
  return text.replaceAll(/^["']|["']$/g, '');
}
