import { randomBytes } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import { cutToBytes } from '../lib/plain-text.ts';
import type { Logger } from '../telemetry/logger.ts';
import { OutageLog } from '../telemetry/outage-log.ts';
import type { KubeObject } from './object.ts';
import type { KubeClient } from './client.ts';

/** How long the same event about the same object is suppressed. */
const dedupeMs = 600_000;
/** How many events are remembered for that, in all. */
const maxRemembered = 4_096;
/** The API server refuses a longer note. */
const maxNoteBytes = 1_024;

/** What an event states about its object. */
export type EventContent = {
  readonly type: 'Normal' | 'Warning';
  /** Why, in one CamelCase word, e.g. `PortConflict`. */
  readonly reason: string;
  /** What was done or tried, in one CamelCase word, e.g. `Apply`. */
  readonly action: string;
  /** For people; cut after 1,024 bytes. */
  readonly note: string;
};

/** Something that happened to an object, for its owner to read with `kubectl describe`. */
export type KubeEvent = EventContent & { readonly regarding: KubeObject };

/** What `Events` works with. */
export type EventsOptions = {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** The reporting instance: the name of the Pod or of the host. */
  readonly instance: string;
};

/**
 * Writes events in the background. The same event is written at most once in ten minutes; that events cannot be written is
 * only logged, once.
 */
export class Events {
  readonly #options: EventsOptions;
  /** When each event was last recorded, the oldest first. */
  readonly #recordedMs = new Map<string, number>();
  readonly #pending = new Set<Promise<void>>();
  readonly #outage: OutageLog;

  constructor(options: EventsOptions) {
    this.#options = options;
    this.#outage = new OutageLog(options.log, {
      failing: 'failed to write event',
      working: 'events are written again',
    });
  }

  /** Records `event` without waiting for it to be written. */
  record(event: KubeEvent): void {
    if (this.#isKnown(event)) return;
    const writing = this.#write(event).finally(() => this.#pending.delete(writing));
    this.#pending.add(writing);
  }

  /** Resolves when every recorded event is written, or could not be. */
  async flush(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #isKnown(event: KubeEvent): boolean {
    const key = eventKey(event);
    const nowMs = this.#options.clock.monotonicMs();
    const recordedMs = this.#recordedMs.get(key);
    if (recordedMs !== undefined && nowMs - recordedMs < dedupeMs) return true;
    this.#recordedMs.delete(key);
    this.#recordedMs.set(key, nowMs);
    const [oldest] = this.#recordedMs.keys();
    if (this.#recordedMs.size > maxRemembered && oldest !== undefined) this.#recordedMs.delete(oldest);
    return false;
  }

  async #write(event: KubeEvent): Promise<void> {
    const { client, clock, instance } = this.#options;
    const { namespace = 'default' } = event.regarding.metadata;
    const path = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
    try {
      await client.request({ method: 'POST', path, body: eventObject(event, clock.now(), instance) });
      this.#outage.worked(namespace);
    } catch (error) {
      this.#recordedMs.delete(eventKey(event)); // nobody has read it
      this.#outage.failed(asError(error), { namespace, reason: event.reason }, namespace);
    }
  }
}

function eventKey({ regarding, reason, note }: KubeEvent): string {
  return [regarding.metadata.uid, reason, note].join('\n');
}

function eventObject(
  { regarding, type, reason, action, note }: KubeEvent,
  time: Date,
  instance: string,
): object {
  const { apiVersion, kind, metadata } = regarding;
  const { name, namespace = 'default', uid, resourceVersion } = metadata;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${name}.${randomBytes(8).toString('hex')}`, namespace },
    eventTime: time.toISOString().replace('Z', '000Z'), // Kubernetes' MicroTime has six digits
    reportingController: 'realm-operator.dev/operator',
    reportingInstance: cutToBytes(instance, 128),
    action,
    reason,
    regarding: { apiVersion, kind, name, namespace, uid, resourceVersion },
    note: cutToBytes(note, maxNoteBytes),
    type,
  };
}
