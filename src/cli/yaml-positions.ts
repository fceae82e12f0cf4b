import { COLLECTION_STYLE, EVENT_ID, getScalarValue, SCALAR_STYLE, type Event } from 'js-yaml';
import { pathText, type Path } from '../lib/problem.ts';
import { YamlFault } from './yaml-fault.ts';

/** Limit of the values in a document with its aliases expanded; a RealmRelay with 64 endpoints has some 10,000. */
const maxValues = 200_000;

/** Something that is wrong at an offset of the text, and at which value. */
export type PlacedFault = {
  readonly path: Path;
  readonly offset: number;
  readonly what: string;
  readonly value?: string;
  readonly remedy: string;
};

type ValueEvent = Exclude<Event, { type: typeof EVENT_ID.DOCUMENT | typeof EVENT_ID.POP }>;
type ScalarEvent = Extract<Event, { type: typeof EVENT_ID.SCALAR }>;
type CollectionEvent = Extract<Event, { type: typeof EVENT_ID.SEQUENCE | typeof EVENT_ID.MAPPING }>;

/** A mapping or list that is still open. */
type Collection = {
  readonly path: Path;
  readonly isMapping: boolean;
  /** Whether it, or one around it, is written in brackets. */
  readonly isFlow: boolean;
  /** Its anchor; '' if it has none. */
  readonly anchor: string;
  /** The number of values before it. */
  readonly before: number;
  /** In a mapping: the offset of each key. */
  readonly keys: Map<string, number>;
  /** In a mapping: the key of the next value, once it has been read. */
  key: string | undefined;
  /** In a list: the index of the next value. */
  index: number;
};

/** The position of each key and value of a document, from the parser's events, and what kubectl refuses about them. */
export class Positions {
  readonly faults: PlacedFault[] = [];
  readonly #text: string;
  readonly #lineOf: (offset: number) => number;
  readonly #values = new Map<string, { readonly path: Path; readonly offset: number }>();
  readonly #keys = new Map<string, number>();
  readonly #open: Collection[] = [];
  /** The number of values under each anchor, with aliases expanded. */
  readonly #anchors = new Map<string, number>();
  #count = 0;

  /**
   * @param lineOf  the number of the line at an offset, for messages.
   * @throws YamlFault if the aliases expand to too many values.
   */
  constructor(text: string, events: readonly Event[], lineOf: (offset: number) => number) {
    this.#text = text;
    this.#lineOf = lineOf;
    for (const event of events) {
      if (event.type === EVENT_ID.DOCUMENT) continue;
      if (event.type === EVENT_ID.POP) this.#close();
      else this.#add(event);
    }
  }

  /** The offset of the value at `path`, or of the nearest one around it. */
  valueAt(path: Path): number {
    for (let length = path.length; length >= 0; length -= 1) {
      const value = this.#values.get(pathText(path.slice(0, length)));
      if (value !== undefined) return value.offset;
    }
    return 0;
  }

  /** The offset of the key at the end of `path`; of the value if it has none. */
  keyAt(path: Path): number {
    return this.#keys.get(pathText(path)) ?? this.valueAt(path);
  }

  /** The path of the value that begins at `offset`; of the document if none does. */
  pathAt(offset: number): Path {
    return [...this.#values.values()].find((value) => value.offset === offset)?.path ?? [];
  }

  #add(event: ValueEvent): void {
    const parent = this.#open.at(-1);
    if (parent?.isMapping === true && parent.key === undefined) {
      if (event.type === EVENT_ID.SCALAR) this.#addKey(event, parent);
      else parent.key = ''; // no key of a manifest; the parser refuses it
      if (event.type === EVENT_ID.SCALAR || event.type === EVENT_ID.ALIAS) return;
    }
    this.#addValue(event, parent);
  }

  #addValue(event: ValueEvent, parent: Collection | undefined): void {
    const before = this.#count;
    this.#count += 1;
    const path = parent === undefined ? [] : [...parent.path, step(parent)];
    const start = offsetOf(event);
    if (start >= 0) this.#values.set(pathText(path), { path, offset: start });
    const anchor = event.anchorStart < 0 ? '' : this.#text.slice(event.anchorStart, event.anchorEnd);
    if (event.type === EVENT_ID.ALIAS) this.#expand(anchor, start);
    else if (event.type === EVENT_ID.SCALAR) this.#checkColon(event, path);
    else this.#open.push({ ...opened(event, parent), path, anchor, before });
  }

  #addKey(event: ScalarEvent, parent: Collection): void {
    const key = getScalarValue(this.#text, event);
    const path = [...parent.path, key];
    const offset = offsetOf(event);
    const first = parent.keys.get(key);
    if (first === undefined) parent.keys.set(key, offset);
    else if (!isMerge(key, event)) this.#addDuplicate(path, offset, this.#lineOf(first));
    parent.key = key;
    this.#keys.set(pathText(path), offset);
    this.#values.set(pathText(path), { path, offset });
    this.#checkColon(event, parent.path);
  }

  #addDuplicate(path: Path, offset: number, line: number): void {
    const what = `is a duplicate key, which line ${String(line)} has, too`;
    this.faults.push({ path, offset, what, remedy: 'remove one of the two' });
  }

  #close(): void {
    const collection = this.#open.pop();
    if (collection !== undefined) this.#anchors.set(collection.anchor, this.#count - collection.before);
  }

  #expand(anchor: string, offset: number): void {
    this.#count += this.#anchors.get(anchor) ?? 0;
    if (this.#count <= maxValues) return;
    const what = `has aliases that expand to more than ${String(maxValues)} values`;
    throw new YamlFault(offset, { what, remedy: 'write the values out, or use fewer aliases' });
  }

  /** In brackets, go-yaml ends a value before a colon that it begins with; this parser reads the address. */
  #checkColon(event: ScalarEvent, path: Path): void {
    const { style, valueStart: offset } = event;
    if (style !== SCALAR_STYLE.PLAIN || offset < 0 || this.#open.at(-1)?.isFlow !== true) return;
    if (this.#text[offset] !== ':') return;
    this.faults.push({ path, offset, ...unquoted(tokenAt(this.#text, offset)) });
  }
}

/** What is wrong with `token`, a value inside brackets that begins with a colon. */
export function unquoted(token: string) {
  const what = 'begins with a colon, which kubectl does not read inside { } and [ ]';
  return { what, value: token, remedy: `quote "${token}" inside { } and [ ]` };
}

/** The text at `offset` up to a space or a bracket. */
function tokenAt(text: string, offset: number): string {
  const pattern = /[^\s,{}[\]]+/y;
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0] ?? '';
}

function opened(event: CollectionEvent, parent: Collection | undefined) {
  return {
    isMapping: event.type === EVENT_ID.MAPPING,
    isFlow: event.style === COLLECTION_STYLE.FLOW || parent?.isFlow === true,
    keys: new Map<string, number>(),
    key: undefined,
    index: 0,
  };
}

/** The key or index of the next value of `collection`; advances it. */
function step(collection: Collection): string | number {
  if (!collection.isMapping) return collection.index++;
  const { key = '' } = collection;
  collection.key = undefined;
  return key;
}

/** Where `event` begins, with its quote; -1 for an empty value. */
function offsetOf(event: ValueEvent): number {
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart;
  if (event.type !== EVENT_ID.SCALAR) return event.start;
  return quoted.includes(event.style) ? event.valueStart - 1 : event.valueStart;
}

const quoted: readonly ScalarEvent['style'][] = [SCALAR_STYLE.SINGLE_QUOTED, SCALAR_STYLE.DOUBLE_QUOTED];

/** Whether `event` is a merge key, of which a mapping may have several. */
function isMerge(key: string, { style }: ScalarEvent): boolean {
  return key === '<<' && style === SCALAR_STYLE.PLAIN;
}
