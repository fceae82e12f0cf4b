import { type Action, awaitChange, requeueAfter } from '../controller/action.ts';
import { Controller } from '../controller/controller.ts';
import { WorkQueue } from '../controller/work-queue.ts';
import type { ObjectKey } from '../kube/object.ts';
import { type Backoff, backoffMs } from '../lib/backoff.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type FetchRelayReport, type RelayReport, WrongAnswerError } from './relay-client.ts';

/** A changed file reaches the Pod after some 0.3 s; a Pod that stays unready is polled once a minute in the end. */
const pollBackoff: Backoff = { initialMs: 300, maxMs: 60_000 };
/** How many relays are polled at a time. */
const workers = 8;
/** How many Pods of one relay are polled at a time. */
const podsAtOnce = 16;
/** A Pod counts as unreachable after this many failures in a row. */
const failuresUntilUnreachable = 3;

/** What is known of one Pod. */
export type PodReport = {
  /** The last report that the Pod returned. */
  readonly report?: RelayReport;
  /** Polls that failed in a row since that report. */
  readonly failures: number;
  /** Why the last poll failed, if the Pod answered with something else than a report; logged once. */
  readonly problem?: string;
};

/** By the Pod's uid. */
export type PodReports = ReadonlyMap<string, PodReport>;

/** A Pod to poll, and whether kubelet reports it ready. */
export type PollTarget = { readonly uid: string; readonly address: string; readonly ready: boolean };

/** Which Pods of a relay to poll. */
export type PollTargets = {
  /** What is known so far of the Pods that still exist. */
  readonly reports: PodReports;
  readonly pods: readonly PollTarget[];
  /** The names of the relay's endpoints: what Pods report of others is ignored. */
  readonly endpoints: readonly string[];
  /** Hash of the wanted configuration. The backoff starts again when it or one of `pods` changes. */
  readonly subject: string;
};

/** What a reconcile uses of a poller. */
export type PodPoller = {
  /** What is known of the Pods of the relay at `key`. */
  reports: (key: ObjectKey) => PodReports;
  /** Polls `targets` of the relay at `key` from now on, and no others. */
  poll: (key: ObjectKey, targets: PollTargets) => void;
  /** Stops polling the relay at `key` and drops what is known of it. */
  forget: (key: ObjectKey) => void;
};

/** What a poller works with. */
export type RelayPollerOptions = {
  readonly fetch: FetchRelayReport;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called with the relay whose Pods report something new. */
  readonly onChange: (key: ObjectKey) => void;
  /** Called after every poll of a Pod, for a metric. */
  readonly onPolled: (outcome: 'answered' | 'failed') => void;
};

type Polling = {
  readonly targets: PollTargets;
  /** Changes with the Pods and the subject of `targets`. */
  readonly identity: string;
  readonly reports: PodReports;
  readonly rounds: number;
};

/** Whether the Pod of `known`, which kubelet may report ready, cannot be reached from here. */
export function isUnreachable(known: PodReport | undefined): boolean {
  return (known?.failures ?? 0) >= failuresUntilUnreachable;
}

/**
 * Polls relay Pods for what they run.
 *
 * Each relay is polled in rounds with growing waits until a reconcile sets other targets; Pods that are not targets are
 * never contacted. Reconciles read what is known and never wait for a relay.
 */
export class RelayPoller implements PodPoller {
  readonly #options: RelayPollerOptions;
  readonly #queue: WorkQueue<ObjectKey>;
  readonly #controller: Controller<ObjectKey>;
  readonly #polling = new Map<ObjectKey, Polling>();

  constructor(options: RelayPollerOptions) {
    const { clock, log } = options;
    this.#options = options;
    this.#queue = new WorkQueue({ clock, backoff: pollBackoff });
    this.#controller = new Controller({
      reconcile: (key) => this.#pollRound(key),
      queue: this.#queue,
      workers,
      clock,
      log,
    });
    this.#controller.start();
  }

  reports(key: ObjectKey): PodReports {
    return this.#polling.get(key)?.reports ?? new Map<string, PodReport>();
  }

  poll(key: ObjectKey, targets: PollTargets): void {
    const identity = canonicalJson([targets.subject, targets.pods]);
    const before = this.#polling.get(key);
    const isNew = before?.identity !== identity;
    const rounds = isNew ? 0 : before.rounds;
    this.#polling.set(key, { targets, identity, reports: targets.reports, rounds });
    if (isNew && targets.pods.length > 0) this.#queue.addAfter(key, pollBackoff.initialMs);
  }

  forget(key: ObjectKey): void {
    this.#polling.delete(key);
  }

  /** Ends polling. Resolves when the polls under way have ended. */
  async stop(): Promise<void> {
    await this.#controller.stop();
  }

  async #pollRound(key: ObjectKey): Promise<Action> {
    const { pods = [], endpoints = [] } = this.#polling.get(key)?.targets ?? {};
    const before = knownText(this.reports(key));
    for (let first = 0; first < pods.length; first += podsAtOnce) {
      const batch = pods.slice(first, first + podsAtOnce);
      await Promise.all(batch.map((pod) => this.#pollPod(key, pod, endpoints)));
    }
    const polling = this.#polling.get(key);
    if (polling === undefined || polling.targets.pods.length === 0) return awaitChange;
    const rounds = polling.rounds + 1;
    this.#polling.set(key, { ...polling, rounds });
    if (knownText(polling.reports) !== before) this.#options.onChange(key);
    return requeueAfter(backoffMs(pollBackoff, rounds + 1, Math.random()));
  }

  async #pollPod(key: ObjectKey, { uid, address }: PollTarget, endpoints: readonly string[]): Promise<void> {
    const { fetch, onPolled } = this.#options;
    const answer = await fetch(address, endpoints).catch(asError);
    onPolled(answer instanceof Error ? 'failed' : 'answered');
    const polling = this.#polling.get(key);
    if (polling?.targets.pods.some((pod) => pod.uid === uid) !== true) return; // no longer a target
    const known =
      answer instanceof Error
        ? this.#failedPoll(key, uid, answer, polling.reports.get(uid))
        : { report: answer, failures: 0 };
    this.#polling.set(key, { ...polling, reports: new Map(polling.reports).set(uid, known) });
  }

  /** A Pod that does not answer is starting or cannot be reached from here, which is common; a wrong answer is not. */
  #failedPoll(key: ObjectKey, uid: string, error: Error, last: PodReport | undefined): PodReport {
    const failures = (last?.failures ?? 0) + 1;
    if (!(error instanceof WrongAnswerError)) return { ...last, failures };
    if (last?.problem === undefined)
      this.#options.log.warn({ key, uid, err: error }, 'Pod does not answer as a relay does');
    return { ...last, failures, problem: error.message };
  }
}

/** What of `reports` a reconcile acts on, as text to compare: a failed poll or two make no difference. */
function knownText(reports: PodReports): string {
  const known = [...reports].map(([uid, pod]) => [uid, pod.report ?? null, isUnreachable(pod)] as const);
  return canonicalJson(known.filter(([, report, unreachable]) => report !== null || unreachable));
}
