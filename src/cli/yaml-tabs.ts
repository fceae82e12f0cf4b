import { COLLECTION_STYLE, EVENT_ID, SCALAR_STYLE, type Event } from 'js-yaml';

type Span = { readonly start: number; readonly end: number };

/**
 * The offsets of tabs before a comment, or on an otherwise empty line, which this parser skips and kubectl refuses, except
 * inside brackets and quotes.
 */
export function tabbedLines(text: string, events: readonly Event[]): number[] {
  const tabs = [...text.matchAll(/^ *\t[ \t]*(?:#.*)?\r?$/gm)].map(
    ({ 0: line, index }) => index + line.indexOf('\t'),
  );
  if (tabs.length === 0) return [];
  const spans = [...scalars(events), ...brackets(events, text.length)];
  return tabs.filter((tab) => !spans.some(({ start, end }) => start <= tab && tab < end));
}

/** The values that are quoted, or in a block of their own. */
function scalars(events: readonly Event[]): Span[] {
  return events.flatMap((event) =>
    event.type === EVENT_ID.SCALAR && event.style !== SCALAR_STYLE.PLAIN
      ? [{ start: event.valueStart, end: event.valueEnd }]
      : [],
  );
}

/** From each bracket to what follows the one that closes it. */
function brackets(events: readonly Event[], length: number): Span[] {
  const spans: Span[] = [];
  const open: (number | undefined)[] = []; // of each collection: where it begins, if it is written in brackets
  let closed: number | undefined;
  for (const event of events) {
    const start = startOf(event);
    if (closed !== undefined && start >= 0) {
      spans.push({ start: closed, end: start });
      closed = undefined;
    }
    if (event.type === EVENT_ID.POP) closed = open.pop() ?? closed;
    else if ('style' in event && event.type !== EVENT_ID.SCALAR) open.push(bracketAt(event));
    else if (event.type === EVENT_ID.DOCUMENT) open.push(undefined);
  }
  return closed === undefined ? spans : [...spans, { start: closed, end: length }];
}

type CollectionEvent = Extract<Event, { type: typeof EVENT_ID.SEQUENCE | typeof EVENT_ID.MAPPING }>;

function bracketAt({ style, start }: CollectionEvent): number | undefined {
  return style === COLLECTION_STYLE.FLOW ? start : undefined;
}

function startOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR) return event.valueStart;
  if (event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.MAPPING) return event.start;
  return event.type === EVENT_ID.ALIAS ? event.anchorStart : -1;
}
