import { type Action, awaitChange, requeueAfter } from '../controller/action.ts';
import { Controller } from '../controller/controller.ts';
import { WorkQueue } from '../controller/work-queue.ts';
import type { ObjectKey } from '../kube/object.ts';
import { type Backoff, backoffMs } from '../lib/backoff.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AskRelay, RelayReport } from './relay-client.ts';

/** A changed file is in the Pod after some 0.3 s; a Pod that stays not ready is asked once a minute at last. */
const waits: Backoff = { initialMs: 300, maxMs: 60_000 };
/** How many relays are asked at a time. */
const workers = 8;
/** How many Pods of a relay are asked at a time. */
const podsAtOnce = 16;
/** After as many failures in a row a Pod counts as one that cannot be reached. */
const failuresUntilUnreachable = 3;

/** What is known of one Pod. */
export type Answer = {
  /** The last one that it gave. */
  readonly report?: RelayReport;
  /** Questions in a row that stayed without an answer since then. */
  readonly failures: number;
};

/** By the Pod's uid. */
export type Answers = ReadonlyMap<string, Answer>;

/** A Pod to be asked, and whether kubelet calls it ready. */
export type Asked = { readonly uid: string; readonly address: string; readonly ready: boolean };

/** Which Pods of a relay are asked. */
export type Questions = {
  /** What is known so far, of the Pods that still are. */
  readonly answers: Answers;
  readonly ask: readonly Asked[];
  /** What is asked for. The waits begin anew where it changes, or one of those asked does. */
  readonly subject: string;
};

/** With what relays are asked. */
export type RelayReportsOptions = {
  readonly ask: AskRelay;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of a relay of whose Pods something new is known. */
  readonly onNews: (key: ObjectKey) => void;
  /** Told of every question, for a metric. */
  readonly onAsked: (outcome: 'answered' | 'failed') => void;
};

type Following = Questions & { rounds: number; readonly identity: string };

/** Whether the Pod that gave `answer`, which others call ready, cannot be reached from here. */
export function isUnreachable(answer: Answer | undefined): boolean {
  return (answer?.failures ?? 0) >= failuresUntilUnreachable;
}

/**
 * What relays say of themselves: asks the Pods that it is told to, in rounds with growing waits, until it is told
 * otherwise, and nobody else. Reconciles read what is known and never wait for a relay.
 */
export class RelayReports {
  readonly #options: RelayReportsOptions;
  readonly #queue: WorkQueue<ObjectKey>;
  readonly #controller: Controller<ObjectKey>;
  readonly #following = new Map<ObjectKey, Following>();

  constructor(options: RelayReportsOptions) {
    const { clock, log } = options;
    this.#options = options;
    this.#queue = new WorkQueue({ clock, backoff: waits });
    this.#controller = new Controller({
      reconcile: (key) => this.#round(key),
      queue: this.#queue,
      workers,
      clock,
      log,
    });
    this.#controller.start();
  }

  /** What is known of the Pods of the relay at `key`. */
  answers(key: ObjectKey): Answers {
    return this.#following.get(key)?.answers ?? new Map<string, Answer>();
  }

  /** From now on asks these, of the relay at `key`, and knows of no other. */
  follow(key: ObjectKey, questions: Questions): void {
    const identity = canonicalJson([questions.subject, questions.ask]);
    const before = this.#following.get(key);
    const isNew = before?.identity !== identity;
    this.#following.set(key, { ...questions, identity, rounds: isNew ? 0 : before.rounds });
    if (isNew && questions.ask.length > 0) this.#queue.addAfter(key, waits.initialMs);
  }

  /** Knows no more of the relay at `key`. */
  forget(key: ObjectKey): void {
    this.#following.delete(key);
  }

  /** Asks nobody any more. Resolves when the questions under way are answered. */
  async stop(): Promise<void> {
    await this.#controller.stop();
  }

  async #round(key: ObjectKey): Promise<Action> {
    const { ask = [] } = this.#following.get(key) ?? {};
    const before = known(this.answers(key));
    for (let first = 0; first < ask.length; first += podsAtOnce) {
      const batch = ask.slice(first, first + podsAtOnce);
      await Promise.all(batch.map(({ uid, address }) => this.#ask(key, uid, address)));
    }
    const following = this.#following.get(key);
    if (following === undefined || following.ask.length === 0) return awaitChange;
    if (known(following.answers) !== before) this.#options.onNews(key);
    following.rounds += 1;
    return requeueAfter(backoffMs(waits, following.rounds + 1, Math.random()));
  }

  async #ask(key: ObjectKey, uid: string, address: string): Promise<void> {
    const { ask, onAsked } = this.#options;
    const report = await ask(address).catch(() => undefined); // why does not matter: it is asked again
    onAsked(report === undefined ? 'failed' : 'answered');
    const following = this.#following.get(key);
    if (following?.ask.some((asked) => asked.uid === uid) !== true) return; // not of interest any more
    const last = following.answers.get(uid);
    const failed = { ...last, failures: (last?.failures ?? 0) + 1 };
    const answers = new Map(following.answers).set(
      uid,
      report === undefined ? failed : { report, failures: 0 },
    );
    this.#following.set(key, { ...following, answers });
  }
}

/** What of `answers` is news; a question or two without an answer are not. */
function known(answers: Answers): string {
  const told = [...answers].map(
    ([uid, answer]) => [uid, answer.report ?? null, isUnreachable(answer)] as const,
  );
  return canonicalJson(told.filter(([, report, unreachable]) => report !== null || unreachable));
}
