import type { Diagnosis } from '../lib/problem.ts';
import { extraBracket, openBracket } from './yaml-brackets.ts';
import { nullKey } from './yaml-schema.ts';

/** Where the parser stopped, and why. */
export type ParserStop = {
  readonly text: string;
  /** In `text`. */
  readonly offset: number;
  /** In the words of js-yaml. */
  readonly reason: string;
};

/** What is wrong, what to do, and where, if the parser noticed it later. */
export type Explanation = Diagnosis & { readonly offset?: number };

type Rule = {
  readonly applies: (stop: ParserStop, line: string) => boolean;
  readonly explain: (stop: ParserStop, line: string) => Explanation;
};

/**
 * Explains why `stop.text` is not YAML: the reason of js-yaml in the words of its author, and the remedy. Quotes nothing of
 * the text, which may be that of a file that is no manifest.
 */
export function explained(stop: ParserStop): Explanation {
  const line = lineAt(stop.text, stop.offset);
  const found = rules.find(({ applies }) => applies(stop, line));
  return found?.explain(stop, line) ?? { what: withoutContent(stop.reason), remedy: 'correct the syntax' };
}

/** In a template of Helm. */
const action = /\{\{[^{}\n]*\}\}/;
/** In one of Jinja, as Ansible has them. */
const jinja = /\{%.*%\}/;

/** What to do with a template. */
const templateRemedy = 'pipe what Helm makes of it: helm template CHART | realm-operator validate -';

const conflictMarker = /^(?:<{7}|>{7}) /m;
const codeFence = /^```/m;

const rules: readonly Rule[] = [
  {
    applies: ({ text }) => jinja.test(text),
    explain: ({ text }) => ({
      what: 'it is a Jinja template',
      remedy: 'check what it is rendered to',
      offset: text.search(jinja),
    }),
  },
  {
    applies: ({ text }) => action.test(text),
    explain: ({ text }) => ({
      what: 'it is a Helm template',
      remedy: templateRemedy,
      offset: text.search(action),
    }),
  },
  {
    applies: ({ text }) => conflictMarker.test(text),
    explain: ({ text }) => ({
      what: 'it has a conflict of Git',
      remedy: 'keep one side, and remove the lines that begin with <<<<<<<, ======= and >>>>>>>',
      offset: text.search(conflictMarker),
    }),
  },
  {
    applies: ({ text }) => codeFence.test(text),
    explain: ({ text }) => ({
      what: 'it has a code fence of Markdown',
      remedy: 'remove the lines that begin with ```',
      offset: text.search(codeFence),
    }),
  },
  {
    applies: ({ text, offset, reason }, line) =>
      /^tab characters/.test(reason) || isTabbed(line) || isTabbed(lineBefore(text, offset)),
    explain: ({ text, offset }, line) => ({
      what: 'a tab indents a line',
      remedy: 'use spaces',
      offset: tabNear(text, offset, line),
    }),
  },
  {
    applies: ({ text }) => noBreakSpace(text) !== undefined,
    explain: ({ text }) => ({
      what: 'a no-break space stands in place of a space',
      remedy: 'use plain spaces',
      offset: noBreakSpace(text) ?? 0,
    }),
  },
  {
    applies: (_, line) => /:\s+\[[0-9A-Fa-f:.]*\]:[0-9]/.test(line),
    explain: () => ({
      what: 'an address in brackets is not quoted',
      remedy: 'write address and port apart, as in {address: "::", port: 443}',
    }),
  },
  {
    applies: ({ text, offset, reason }) =>
      /^deficient indentation/.test(reason) && openQuote(text, '"') < offset,
    explain: ({ text }) => ({
      what: 'a quoted value does not end',
      remedy: 'add the closing "',
      offset: openQuote(text, '"'),
    }),
  },
  {
    applies: ({ reason }) => /within a (single|double) quoted scalar$/.test(reason),
    explain: ({ text, reason }) => {
      const quote = reason.includes('single') ? "'" : '"';
      return {
        what: 'a quoted value does not end',
        remedy: `add the closing ${quote}`,
        offset: openQuote(text, quote),
      };
    },
  },
  {
    applies: ({ text, reason }) => flowReasons.test(reason) && openBracket(text) !== undefined,
    explain: ({ text, offset }) => {
      const open = openBracket(text) ?? offset;
      const [opening, closing] = text[open] === '{' ? ['{', '}'] : ['[', ']'];
      return { what: `a "${opening}" is not closed`, remedy: `add "${closing}"`, offset: open };
    },
  },
  {
    applies: ({ text, offset }) => /[@`%*&!|>]/.test(text[offset] ?? ''),
    explain: ({ text, offset }) => ({
      what: `a value begins with "${text[offset] ?? ''}", which has a meaning of its own in YAML`,
      remedy: 'quote the value',
    }),
  },
  {
    applies: ({ reason }, line) => /^bad indentation/.test(reason) && extraBracket(line) !== undefined,
    explain: ({ text, offset }, line) => {
      const { text: bracket = '', offset: at = 0 } = extraBracket(line) ?? {};
      return {
        what: `a "${bracket}" closes nothing`,
        remedy: 'remove it, or quote the value',
        offset: text.lastIndexOf('\n', offset - 1) + 1 + at,
      };
    },
  },
  {
    applies: ({ reason }, line) =>
      /^bad indentation/.test(reason) && /:\s+("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*[^\s#]/.test(line),
    explain: () => ({
      what: 'something follows a value in quotes',
      remedy: 'put all of the value in quotes, or remove what follows them',
    }),
  },
  {
    applies: ({ reason }, line) =>
      /^bad indentation of a mapping/.test(reason) && /:\s.*:(?:\s|$)/.test(line),
    explain: () => ({
      what: 'a value contains a colon followed by a space, or ends with one',
      remedy: 'quote the value, or begin a new line for each key',
    }),
  },
  ...byReason([
    [
      /^missed comma|expected the node content/,
      'a comma is missing, or one too many, inside { } or [ ]',
      'separate the entries by one comma each, and write a space after each colon',
    ],
    [/flow collection/, 'a bracket is not closed', 'add "}" or "]"'],
    [
      /^(bad|deficient) indentation/,
      'a line is indented unlike those that it belongs to',
      'indent the keys of a mapping, and the items of a list, equally',
    ],
    [
      /whitespace character is expected after|^expected ':'|^can not read a block mapping entry/,
      'a line is neither "key: value" nor an item of a list',
      'write a colon and a space after the key',
    ],
    [/^name of an alias/, 'a value begins with "*", which refers to an anchor in YAML', 'quote the value'],
    [
      /^unidentified alias/,
      'an alias refers to an anchor that is not defined',
      'define the anchor before it, or quote the value',
    ],
    [/^recursive alias/, 'an alias is inside what it refers to', 'write the value out'],
    [
      /complex keys/,
      'a key is a list or a mapping',
      'use a string as the key; quote a value that begins with { or [',
    ],
    [new RegExp(`^${nullKey}`), 'a key is null', 'write the key, quoted if it is the word null'],
    [
      /non-printable|null byte/,
      'it contains a control character',
      'remove it, or write it in double quotes as \\xNN',
    ],
    [
      /cannot merge mappings|merge sequence/,
      'the value of << is not a mapping',
      'give a mapping, or a list of mappings',
    ],
    [/^(merge keys|nesting) exceeded/, 'it is nested too deeply', 'use fewer levels'],
    [/explicit tag$/, 'a value does not have the type of its tag', 'remove the tag'],
    [/\btag\b/, 'a tag is not valid', 'remove the word that begins with "!"'],
    [/anchor/, 'an anchor is not valid', 'use "&" and a word'],
    [
      /^unacceptable YAML version|YAML directive/,
      'it requests another version of YAML',
      'remove the line that begins with "%YAML"',
    ],
    [/directive/, 'a line that begins with "%" is not a directive', 'remove it, or quote the value'],
    [
      /escape|hexadecimal/,
      'a text in double quotes contains an unknown escape',
      'write \\\\ for a backslash, or use single quotes',
    ],
    [
      /valid JSON character/,
      'a quoted text contains a control character',
      'write it as an escape in double quotes',
    ],
    [
      /indentation (width|indicator)|chomping|line break is expected/,
      'the line of "|" or ">" has more on it',
      'begin the text on the next line',
    ],
    [
      /end of the stream or a document/,
      'something follows the end of the document',
      'remove it, indent it, or begin a new document with ---',
    ],
  ]),
];

const flowReasons =
  /flow collection|^deficient indentation|node content|whitespace character is expected|^expected ':'/;

function byReason(table: readonly (readonly [RegExp, string, string])[]): Rule[] {
  return table.map(([pattern, what, remedy]) => ({
    applies: ({ reason }) => pattern.test(reason),
    explain: () => ({ what, remedy }),
  }));
}

/** `reason` without what it quotes of the text. */
function withoutContent(reason: string): string {
  return reason.replaceAll(/"[^"]*"/g, '"…"').replace(/(?<=such characters): .*/s, '');
}

/** The line at `offset`, without its end. */
export function lineAt(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', start);
  return text.slice(start, end < 0 ? text.length : end);
}

function lineBefore(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1);
  return start < 0 ? '' : lineAt(text, start - 1);
}

function isTabbed(line: string): boolean {
  return /^ *\t/.test(line);
}

/** The offset of the tab that indents the line at `offset`, or the one before. */
function tabNear(text: string, offset: number, line: string): number {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  if (isTabbed(line) || start === 0) return start + Math.max(0, line.indexOf('\t'));
  const before = lineBefore(text, offset);
  return start - 1 - before.length + Math.max(0, before.indexOf('\t'));
}

/** Where a no-break space stands before a key, or between a key and its value; undefined if none does. */
function noBreakSpace(text: string): number | undefined {
  for (let at = text.indexOf('\u00A0'); at >= 0; at = text.indexOf('\u00A0', at + 1)) {
    const before = text.slice(text.lastIndexOf('\n', at) + 1, at).trimEnd();
    if (before === '' || before.endsWith(':')) return at;
  }
  return undefined;
}

/** Where the first line with an odd number of `quote` has its last one. */
function openQuote(text: string, quote: string): number {
  let start = 0;
  for (const line of text.split('\n')) {
    const plain = line.replaceAll(/\\./g, '  ').replace(/(^|\s)#.*/, '');
    if (plain.split(quote).length % 2 === 0) return start + plain.lastIndexOf(quote);
    start += line.length + 1;
  }
  return text.length;
}
