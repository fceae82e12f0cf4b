import { constructFromEvents, EVENT_ID, parseEvents, SCALAR_STYLE, YAMLException, type Event } from 'js-yaml';
import type { Path, Problem } from '../lib/problem.ts';
import { closingBracket } from './yaml-brackets.ts';
import { YamlFault } from './yaml-fault.ts';
import { Positions, type PlacedFault } from './yaml-positions.ts';
import { explained } from './yaml-reasons.ts';
import { Repairs } from './yaml-repairs.ts';
import { kubernetesSchema } from './yaml-schema.ts';
import { tabbedLines } from './yaml-tabs.ts';

/** A place in a text: both numbers are counted from 1, columns in UTF-16 code units. */
export type Position = { readonly line: number; readonly column: number };

/** A problem and its place. */
export type PlacedProblem = Position & { readonly problem: Problem };

/** One document of a YAML text. */
export type YamlDocument = {
  /** undefined if the document is not YAML. */
  readonly value: unknown;
  /** Why it is not YAML, or what of it kubectl refuses; nothing of the text is quoted if it is no RealmRelay. */
  readonly problems: readonly PlacedProblem[];
  /** The position of the value at a path, or of the nearest one around it. */
  readonly positionOf: (path: Path) => Position;
  /** The position of the key at the end of a path, if there is one, else of the value. */
  readonly keyPositionOf: (path: Path) => Position;
};

/** Length limit of a text: the API server accepts no larger object, since the limit of etcd is 1.5 MiB. */
export const maxCharacters = 3 * 1024 * 1024;

/**
 * Parses `text` as kubectl does: YAML as Kubernetes reads it, or JSON, with any number of documents. A document that is not
 * YAML does not hide those after it. Empty documents are left out. Never throws.
 */
export function yamlDocuments(text: string): YamlDocument[] {
  const positionAt = positions(text);
  if (text.length > maxCharacters) {
    const what = `has ${String(text.length)} characters`;
    const problem = { path: [], what, remedy: `use at most ${String(maxCharacters)}` };
    return [broken([{ line: 1, column: 1, problem }])];
  }
  return sections(text)
    .flatMap(jsonObjects)
    .flatMap(({ source, start }) => new Section(source, (offset) => positionAt(start + offset)).documents());
}

/** The text from one line `---` to the next. */
class Section {
  readonly #repairs: Repairs;
  readonly #positionAt: (offset: number) => Position;
  /** Whether it is ours to quote. */
  readonly #isOwn: boolean;
  /** Whether kubectl reads it as JSON. */
  readonly #isJson: boolean;

  constructor(source: string, positionAt: (offset: number) => Position) {
    this.#repairs = new Repairs(source);
    this.#positionAt = (offset) => positionAt(this.#repairs.original(offset));
    this.#isJson = jsonStart.test(source);
    this.#isOwn = /\bkind["']?\s*:\s*["']?RealmRelay/.test(source);
  }

  documents(): YamlDocument[] {
    for (;;) {
      const { text } = this.#repairs;
      try {
        return this.#read(text);
      } catch (error) {
        if (error instanceof YamlFault) return [this.#broken(error)];
        if (!(error instanceof YAMLException)) throw error;
        const stop = { text, offset: error.mark?.position ?? 0, reason: error.reason };
        if (this.#repairs.repair(stop)) continue;
        const { offset = stop.offset, what, remedy } = explained(stop);
        return [this.#broken(new YamlFault(offset, { what: `is not YAML: ${what}`, remedy }))];
      }
    }
  }

  /** @throws YAMLException, YamlFault */
  #read(text: string): YamlDocument[] {
    const control = controlCharacter.exec(text);
    if (control !== null) throw new YamlFault(control.index, controlFault);
    const events = parseEvents(text, {});
    const escape = this.#isJson ? undefined : unknownEscape(text, events);
    if (escape !== undefined) throw new YamlFault(escape, escapeFault);
    if (events.some(isOtherVersion)) throw new YamlFault(text.indexOf('%'), versionFault);
    const lineOf = (offset: number): number => this.#positionAt(offset).line;
    const read = documentEvents(events).map((document) => new Positions(text, document, lineOf));
    // Duplicate keys are among the faults, all of them.
    const values = constructFromEvents(events, { source: text, schema: kubernetesSchema, json: true });
    const tabs = tabbedLines(text, events);
    if (this.#isOwn && tabs.length > 0) return [broken(tabs.map((offset) => this.#placed(tabFault(offset))))];
    return read
      .map((each, index) => this.#document(each, values[index]))
      .filter(({ value, problems }) => (value !== null && value !== undefined) || problems.length > 0);
  }

  #document(read: Positions, value: unknown): YamlDocument {
    const quoted = this.#repairs.made.flatMap(({ offset, fault }) =>
      fault === undefined ? [] : [{ ...fault, offset, path: read.pathAt(offset) }],
    );
    const faults = this.#isOwn ? [...read.faults, ...quoted] : [];
    return {
      value,
      problems: faults.map((fault) => this.#placed(fault)),
      positionOf: (path) => this.#positionAt(read.valueAt(path)),
      keyPositionOf: (path) => this.#positionAt(read.keyAt(path)),
    };
  }

  #broken({ offset, diagnosis }: YamlFault): YamlDocument {
    const quoted = this.#isOwn
      ? this.#repairs.made.flatMap(({ offset: at, fault }) =>
          fault ? [{ ...fault, offset: at, path: [] }] : [],
        )
      : [];
    const faults = [...quoted, { ...diagnosis, offset, path: [] }];
    return broken(faults.map((fault) => this.#placed(fault)));
  }

  #placed({ offset, ...problem }: PlacedFault): PlacedProblem {
    return { ...this.#positionAt(offset), problem };
  }
}

/** Source: go.yaml.in/yaml/v2, readerc.go: what it rejects as control characters. */

const controlCharacter = /[\0-\x08\v\f\x0E-\x1F\x7F-\x84\x86-\x9F\uFFFE\uFFFF]/;
const controlFault = {
  what: 'is not YAML: it contains a control character',
  remedy: 'remove it, or write it in double quotes as \\xNN',
};

const escapeFault = {
  what: 'is not YAML: a text in double quotes contains an escape of JSON, \\/ or half of a character, which kubectl does not read',
  remedy: 'write the character itself',
};

/** Source: go.yaml.in/yaml/v2, scannerc.go: the escapes of JSON that it rejects. */
function unknownEscape(text: string, events: readonly Event[]): number | undefined {
  for (const event of events) {
    if (event.type !== EVENT_ID.SCALAR || event.style !== SCALAR_STYLE.DOUBLE_QUOTED) continue;
    const content = text.slice(event.valueStart, event.valueEnd);
    const found = [...content.matchAll(/\\(?:\/|u[dD][89a-fA-F]|.)/gs)].find(
      ({ 0: escape }) => escape === '\\/' || escape.length > 2,
    );
    if (found !== undefined) return event.valueStart + found.index;
  }
  return undefined;
}

const versionFault = {
  what: 'is not YAML: it requests another version than 1.1, which kubectl does not read',
  remedy: 'remove the line that begins with "%YAML"',
};

function isOtherVersion(event: Event): boolean {
  if (event.type !== EVENT_ID.DOCUMENT) return false;
  return event.directives.some((directive) => directive.kind === 'yaml' && directive.version !== '1.1');
}

function tabFault(offset: number): PlacedFault {
  return { path: [], offset, what: 'is not YAML: a tab indents a line', remedy: 'use spaces' };
}

function broken(problems: readonly PlacedProblem[]): YamlDocument {
  const [first = { line: 1, column: 1 }] = problems;
  const position = { line: first.line, column: first.column };
  return { value: undefined, problems, positionOf: () => position, keyPositionOf: () => position };
}

type SectionText = { readonly source: string; readonly start: number };

/** `text`, cut before each line that begins with `---`. Directives stay with the document that they are for. */
function sections(text: string): SectionText[] {
  const marks = [...text.matchAll(/^---(?:[ \t]*\r?\n\uFEFF|(?=\s|$))/gm)].filter(({ index }) => index > 0);
  const ends = [...marks.map(({ index }) => index), text.length];
  // A byte order mark is that of a file which was appended to another.
  const starts = [0, ...marks.map(({ index, 0: mark }) => (mark === '---' ? index : index + mark.length))];
  const all = starts.map((start, index) => ({ start, source: text.slice(start, ends[index]) }));
  const [first, second, ...rest] = all;
  const isHead = first !== undefined && /^(?:\uFEFF?(?:[%#].*|[ \t]*)(?:\r?\n|$))+$/.test(first.source);
  if (!isHead || second === undefined || !/^%/m.test(first.source)) return all;
  return [{ start: 0, source: first.source + second.source }, ...rest];
}

/** kubectl decides by it whether it reads JSON. */
const jsonStart = /^(?:---)?\s*\{/;

/** The objects of a section that is a stream of JSON, as jq writes it; else the section. */
function jsonObjects(section: SectionText): SectionText[] {
  if (!jsonStart.test(section.source)) return [section];
  const objects: SectionText[] = [];
  let rest = section;
  for (;;) {
    const end = closingBracket(rest.source, rest.source.indexOf('{'));
    if (end === undefined || !/^\s*\{/.test(rest.source.slice(end + 1))) return [...objects, rest];
    objects.push({ start: rest.start, source: rest.source.slice(0, end + 1) });
    rest = { start: rest.start + end + 1, source: rest.source.slice(end + 1) };
  }
}

function documentEvents(events: readonly Event[]): Event[][] {
  const documents: Event[][] = [];
  for (const event of events) {
    if (event.type === EVENT_ID.DOCUMENT) documents.push([]);
    documents.at(-1)?.push(event);
  }
  return documents;
}

/** Finds the position of an offset in `text`, by binary search among the lines. */
function positions(text: string): (offset: number) => Position {
  const starts = [0, ...[...text.matchAll(/\r\n?|\n/g)].map(({ 0: end, index }) => index + end.length)];
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return { line: low, column: offset - (starts[low - 1] ?? 0) + 1 };
  };
}
