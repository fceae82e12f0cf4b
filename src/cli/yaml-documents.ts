import {
  constructFromEvents,
  EVENT_ID,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  YAML11_SCHEMA,
  YAMLException,
  type Event,
} from 'js-yaml';
import { RealmError } from '../lib/errors.ts';
import { pathText, type Path, type Problem } from '../lib/problem.ts';

/** One document of a YAML text. */
export type YamlDocument = {
  readonly value: unknown;
  /** The line, counted from 1, of the value at `path`, or of the nearest one around it. */
  readonly lineOf: (path: Path) => number;
  /** Values that this parser accepts and kubectl's does not. */
  readonly warnings: readonly Problem[];
};

/** The text is not YAML, or not YAML that is accepted here. */
export class YamlError extends RealmError {
  readonly code = 'REALM_YAML_INVALID';
  /** Counted from 1. */
  readonly line: number;
  readonly remedy: string;

  constructor(line: number, what: string, remedy: string) {
    super(what);
    this.line = line;
    this.remedy = remedy;
  }
}

/** Length limit of a text: the API server accepts no larger object, since the limit of etcd is 1.5 MiB. */
export const maxCharacters = 3 * 1024 * 1024;
/** Limit of the values in a document with its aliases expanded; a RealmRelay with 64 endpoints has some 10,000. */
const maxValues = 200_000;

/**
 * Parses `text` as kubectl does: YAML 1.1 (`on` is true, `0443` is 291), or JSON, with any number of documents.
 * Empty documents are left out.
 *
 * @throws YamlError if the text is not YAML, is too large, or its aliases expand to too many values.
 */
export function yamlDocuments(text: string): YamlDocument[] {
  if (text.length > maxCharacters) {
    throw new YamlError(1, `has ${String(text.length)} characters`, `use at most ${String(maxCharacters)}`);
  }
  const lines = lineStarts(text);
  try {
    const events = parseEvents(text, {});
    const positions = documentEvents(events).map((document) => new Positions(text, document, lines));
    const values = constructFromEvents(events, { source: text, schema: YAML11_SCHEMA });
    return positions
      .map(({ lineOf, warnings }, index) => ({ value: values[index], lineOf, warnings }))
      .filter(({ value }) => value !== null && value !== undefined);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    throw new YamlError(
      (error.mark?.line ?? 0) + 1,
      `is not YAML: ${withoutContent(error.reason)}`,
      'correct the syntax',
    );
  }
}

/** `reason` of the parser without what it quotes of the text, which may be that of a file that is no manifest. */
function withoutContent(reason: string): string {
  return reason.replaceAll(/"[^"]*"/g, '"…"').replace(/(?<=such characters): .*/s, '');
}

function documentEvents(events: readonly Event[]): Event[][] {
  const documents: Event[][] = [];
  for (const event of events) {
    if (event.type === EVENT_ID.DOCUMENT) documents.push([]);
    documents.at(-1)?.push(event);
  }
  return documents;
}

type ValueEvent = Exclude<Event, { type: typeof EVENT_ID.DOCUMENT | typeof EVENT_ID.POP }>;
type ScalarEvent = Extract<Event, { type: typeof EVENT_ID.SCALAR }>;

/** A mapping or list that is still open. */
type Collection = {
  readonly path: Path;
  readonly isMapping: boolean;
  /** Its anchor; '' if it has none. */
  readonly anchor: string;
  /** The number of values before it. */
  readonly before: number;
  /** In a mapping: the key of the next value, once it has been read. */
  key: string | undefined;
  /** In a list: the index of the next value. */
  index: number;
};

/** The position of each value of a document, from the parser's events. */
class Positions {
  readonly warnings: Problem[] = [];
  readonly #text: string;
  readonly #lineStarts: readonly number[];
  readonly #lines = new Map<string, number>();
  readonly #open: Collection[] = [];
  /** The number of values under each anchor, with aliases expanded. */
  readonly #anchors = new Map<string, number>();
  #values = 0;

  constructor(text: string, events: readonly Event[], lines: readonly number[]) {
    this.#text = text;
    this.#lineStarts = lines;
    for (const event of events) {
      if (event.type === EVENT_ID.DOCUMENT) continue;
      if (event.type === EVENT_ID.POP) this.#close();
      else this.#add(event);
    }
  }

  readonly lineOf = (path: Path): number => {
    for (let length = path.length; length >= 0; length -= 1) {
      const line = this.#lines.get(pathText(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  };

  #add(event: ValueEvent): void {
    const parent = this.#open.at(-1);
    if (event.type === EVENT_ID.SCALAR && parent?.isMapping === true && parent.key === undefined) {
      parent.key = getScalarValue(this.#text, event);
      this.#lines.set(pathText([...parent.path, parent.key]), this.#lineAt(event.valueStart));
      return;
    }
    const before = this.#values;
    this.#values += 1;
    const path = parent === undefined ? [] : [...parent.path, step(parent)];
    const start = offset(event);
    if (start >= 0) this.#lines.set(pathText(path), this.#lineAt(start));
    const anchor = event.anchorStart < 0 ? '' : this.#text.slice(event.anchorStart, event.anchorEnd);
    if (event.type === EVENT_ID.ALIAS) this.#expand(anchor, start);
    else if (event.type === EVENT_ID.SCALAR) this.#checkColon(event, path);
    else
      this.#open.push({
        path,
        isMapping: event.type === EVENT_ID.MAPPING,
        anchor,
        before,
        key: undefined,
        index: 0,
      });
  }

  #close(): void {
    const collection = this.#open.pop();
    if (collection !== undefined) this.#anchors.set(collection.anchor, this.#values - collection.before);
  }

  #expand(anchor: string, start: number): void {
    this.#values += this.#anchors.get(anchor) ?? 0;
    if (this.#values <= maxValues) return;
    throw new YamlError(
      this.#lineAt(start),
      `has aliases that expand to more than ${String(maxValues)} values`,
      'write the values out, or use fewer aliases',
    );
  }

  /** kubectl's parser reads `{address: ::1}` as a mapping; this one reads the address. */
  #checkColon(event: ScalarEvent, path: Path): void {
    const isPlain = event.style === SCALAR_STYLE.PLAIN && event.valueStart >= 0;
    if (!isPlain || this.#text[event.valueStart] !== ':') return;
    const value = this.#text.slice(event.valueStart, event.valueEnd);
    const what = 'starts with a colon and is not quoted, which kubectl cannot read';
    this.warnings.push({ path, what, value, remedy: `write "${value}" in quotes` });
  }

  /** The line at `position`, by binary search. */
  #lineAt(position: number): number {
    let [low, high] = [0, this.#lineStarts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The key or index of the next value of `collection`; advances it. */
function step(collection: Collection): string | number {
  if (!collection.isMapping) return collection.index++;
  const { key = '' } = collection;
  collection.key = undefined;
  return key;
}

/** Where `event` begins; -1 for an empty value. */
function offset(event: ValueEvent): number {
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart;
  return event.type === EVENT_ID.SCALAR ? event.valueStart : event.start;
}

/** Offsets at which the lines of `text` begin. */
function lineStarts(text: string): number[] {
  return [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
}
