import type { Clock } from '../lib/clock.ts';
import { byteLines } from './byte-lines.ts';
import { kubeErrorOf } from './kube-error.ts';
import { textWithoutManagedFields } from './managed-fields.ts';
import type { KubeObject } from './object.ts';
import type { KubeClient } from './client.ts';

/** How much longer than asked for a watch may last: a connection of which only our half lives never ends by itself. */
const graceMs = 15_000;

/** One line of a watch. */
export type WatchEvent<T extends KubeObject> =
  | {
      readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
      /** Without managed fields. */
      readonly object: T;
      /** `object` as JSON, where it came as such. */
      readonly text: string | undefined;
    }
  /** Nothing happened up to this resource version. `initialEnd`: what there was at the start has been told. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly initialEnd: boolean };

/** What to watch. */
export type Watch = {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** How long the server is asked to keep it, in seconds. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
};

/**
 * The events of one watch, until the server ends it.
 *
 * @throws KubeError where the server refuses or reports an error in the stream; SyntaxError at something else than events;
 *   an error of the connection; `TimeoutError` when the server does not end it in time; the reason of `signal`.
 */
export async function* watch<T extends KubeObject>(
  client: KubeClient,
  clock: Clock,
  { path, query, timeoutSeconds, signal }: Watch,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const end = new AbortController();
  const cancel = clock.after(timeoutSeconds * 1000 + graceMs, () => {
    end.abort(new DOMException('the watch outlived its time', 'TimeoutError'));
  });
  try {
    const body = await client.stream({
      method: 'GET',
      path,
      query: { ...query, watch: '1', allowWatchBookmarks: 'true', timeoutSeconds: String(timeoutSeconds) },
      signal: AbortSignal.any([signal, end.signal]),
    });
    for await (const line of byteLines(body as AsyncIterable<Buffer>))
      yield watchEvent<T>(textWithoutManagedFields(line));
  } finally {
    cancel();
    end.abort(); // a reader that leaves early must not leave the connection behind
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

/** The text of the object in `line`, which is that of `event`, where it is written as API servers do: the object is its end. */
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
