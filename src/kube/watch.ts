import type { Clock } from '../lib/clock.ts';
import { byteLines } from './byte-lines.ts';
import { kubeErrorOf } from './kube-error.ts';
import { textWithoutManagedFields } from './managed-fields.ts';
import type { KubeObject } from './object.ts';
import type { KubeClient } from './client.ts';

/** How much longer than requested a watch may last: a half-open connection would never end. */
const graceMs = 15_000;

/**
 * How long a watch may be silent once the server has sent a bookmark: it sends them every minute, also if nothing happens, so
 * that a server that hangs, or a connection that is gone without a word, is noticed long before the watch would end.
 *
 * Source: `defaultBookmarkFrequency` in k8s.io/apiserver/pkg/storage/cacher.
 */
const silenceMs = 90_000;

/** One line of a watch. */
export type WatchEvent<T extends KubeObject> =
  | {
      readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
      /** Without managed fields. */
      readonly object: T;
      /** `object` as JSON, if its text could be taken from the stream. */
      readonly text: string | undefined;
    }
  /** Nothing else happened up to this resource version. `initialEnd`: all existing objects have been reported. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly initialEnd: boolean };

/** What to watch. */
export type Watch = {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** The requested duration, in seconds. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  /** Called when the server has accepted the watch. */
  readonly onOpen?: () => void;
};

/**
 * The events of one watch, until the server ends it.
 *
 * @throws KubeError if the server answers with an error or reports one in the stream; SyntaxError if the stream contains
 *   anything but events; an error of the connection; `TimeoutError` if the server does not end the watch in time; the reason
 *   of `signal`.
 */
export async function* watch<T extends KubeObject>(
  client: KubeClient,
  clock: Clock,
  { path, query, timeoutSeconds, signal, onOpen }: Watch,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const end = new AbortController();
  const endAfter = (ms: number, message: string): (() => void) =>
    clock.after(ms, () => {
      end.abort(new DOMException(message, 'TimeoutError'));
    });
  const cancel = endAfter(timeoutSeconds * 1000 + graceMs, 'the server did not end the watch in time');
  let cancelSilence = (): void => undefined;
  let sendsBookmarks = false;
  try {
    const body = await client.stream({
      method: 'GET',
      path,
      query: { ...query, watch: '1', allowWatchBookmarks: 'true', timeoutSeconds: String(timeoutSeconds) },
      signal: AbortSignal.any([signal, end.signal]),
    });
    onOpen?.();
    for await (const line of byteLines(body as AsyncIterable<Buffer>)) {
      const event = watchEvent<T>(textWithoutManagedFields(line));
      sendsBookmarks ||= event.type === 'BOOKMARK' && !event.initialEnd;
      cancelSilence();
      if (sendsBookmarks) cancelSilence = endAfter(silenceMs, 'the server sends no more bookmarks');
      yield event;
    }
  } finally {
    cancel();
    cancelSilence();
    end.abort(); // closes the connection if the reader leaves early
  }
}

type WireEvent = { readonly type?: unknown; readonly object?: unknown };

function watchEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  const event = (JSON.parse(line) ?? {}) as WireEvent;
  const { type, object } = event;
  if (!hasMetadata(object))
    throw type === 'ERROR' ? kubeErrorOf(object) : new SyntaxError('not a watch event');
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object: object as T, text: objectText(line, event) };
    case 'BOOKMARK':
      return bookmark(object);
    case 'ERROR':
      throw kubeErrorOf(object);
    default:
      throw new SyntaxError('not a watch event');
  }
}

/** The text of the object in `line`, the text of `event`, if it is laid out as by API servers: with the object at the end. */
function objectText(line: string, event: WireEvent): string | undefined {
  const start = `{"type":"${String(event.type)}","object":`;
  const isWhole = line.startsWith(start) && line.endsWith('}}') && Object.keys(event).length === 2;
  return isWhole ? line.slice(start.length, -1) : undefined;
}

function bookmark({ metadata: { resourceVersion = '', annotations = {} } }: KubeObject): WatchEvent<never> {
  return {
    type: 'BOOKMARK',
    resourceVersion,
    initialEnd: annotations['k8s.io/initial-events-end'] === 'true',
  };
}

function hasMetadata(value: unknown): value is KubeObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    'metadata' in value &&
    typeof value.metadata === 'object' &&
    value.metadata !== null
  );
}
