import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import type { PackedObject } from '../kube/packed-object.ts';
import type { Clock } from '../lib/clock.ts';
import { memoize } from '../lib/memoize.ts';
import { cutToCharacters } from '../lib/plain-text.ts';
import { sharedResult } from '../lib/shared-result.ts';
import { version } from '../lib/version.ts';
import type { RelayObject } from './kinds.ts';
import { watchText, type WatchProblem } from './watches.ts';

/** RealmRelays that one report has at most. */
const maxRows = 200;
/** How long the counts serve the requests after the one that they were computed for. */
const freshMs = 1000;
const maxMessageLength = 300;
const maxAddressLength = 200;

/** A RealmRelay on the page. */
export type RelayRow = {
  readonly namespace: string;
  readonly name: string;
  /** `Unknown` until the operator has written its status. */
  readonly ready: 'True' | 'False' | 'Unknown';
  /** It waits for a change by its owner. */
  readonly isStalled: boolean;
  /** Of the condition Ready. */
  readonly reason: string;
  readonly message: string;
  readonly replicas: number;
  readonly readyReplicas: number;
  /** Null while the Pods cannot be asked. */
  readonly updatedReplicas: number | null;
  /** Number of endpoints, and of those that are not ready. */
  readonly endpoints: number;
  readonly unreadyEndpoints: number;
  readonly listening: string;
  readonly addresses: string;
  /** The installation that serves it; '' = none yet. */
  readonly operator: string;
};

/** All RealmRelays at one moment, for the page of the operator. */
export type RelaysReport = {
  /** ISO 8601. */
  readonly asOf: string;
  readonly version: string;
  readonly startedAt: string;
  /** The operator's Pod or host. */
  readonly instance: string;
  readonly isReady: boolean;
  readonly isLeading: boolean;
  /** Its watches that do not work. */
  readonly problems: readonly string[];
  readonly counts: {
    readonly total: number;
    readonly ready: number;
    readonly notReady: number;
    readonly unknown: number;
    readonly stalled: number;
  };
  /** How many match what was asked for; `relays` has the first of them. */
  readonly matching: number;
  readonly relays: readonly RelayRow[];
};

/** What a report is made of. */
export type ReportedOperator = {
  readonly instance: string;
  readonly isReady: () => boolean;
  readonly isLeading: () => boolean;
  readonly watchProblems: () => readonly WatchProblem[];
  readonly relays: () => Iterable<PackedObject<RelayObject>>;
};

/** Which RealmRelays to report. */
export type RelaysQuery = { readonly words: string; readonly onlyProblems: boolean };

/**
 * Reports RealmRelays, at most 200 at a time: those with problems first, then by namespace and name. Names and statuses only,
 * no specs, labels or annotations. The rows are computed once a second at most, and each once for an unchanged RealmRelay.
 */
export function relaysReporter(
  operator: ReportedOperator,
  clock: Clock,
): (query: RelaysQuery) => RelaysReport {
  const startedAt = clock.now().toISOString();
  const rows = sharedResult(() => [...operator.relays()].map(rowOf).toSorted(byProblem), { clock, freshMs });
  return (query) => {
    const all = rows();
    const matching = all.filter((row) => matches(row, query));
    return {
      asOf: clock.now().toISOString(),
      version,
      startedAt,
      instance: operator.instance,
      isReady: operator.isReady(),
      isLeading: operator.isLeading(),
      problems: operator.watchProblems().map(watchText),
      counts: countsOf(all),
      matching: matching.length,
      relays: matching.slice(0, maxRows),
    };
  };
}

function countsOf(rows: readonly RelayRow[]): RelaysReport['counts'] {
  const count = (is: (row: RelayRow) => boolean): number => rows.filter(is).length;
  return {
    total: rows.length,
    ready: count(({ ready }) => ready === 'True'),
    notReady: count(({ ready }) => ready === 'False'),
    unknown: count(({ ready }) => ready === 'Unknown'),
    stalled: count(({ isStalled }) => isStalled),
  };
}

function matches(row: RelayRow, { words, onlyProblems }: RelaysQuery): boolean {
  if (onlyProblems && row.ready === 'True') return false;
  const text = [`${row.namespace}/${row.name}`, row.reason, row.message, row.listening, row.addresses]
    .join(' ')
    .toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

const rank = { False: 0, Unknown: 1, True: 2 } as const;

function byProblem(a: RelayRow, b: RelayRow): number {
  if (a.ready !== b.ready) return rank[a.ready] - rank[b.ready];
  const [left, right] = [a, b].map(({ namespace, name }) => `${namespace}/${name}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

/** Memoized, since most relays have not changed at the next request. */
const rowOf = memoize((relay: PackedObject<RelayObject>): RelayRow => {
  const { metadata, status = {} } = relay.object();
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    ...conditionRow(status),
    ...podsRow(status),
    ...placeRow(status),
  };
});

function conditionRow({
  conditions = [],
}: RealmRelayStatus): Pick<RelayRow, 'ready' | 'isStalled' | 'reason' | 'message'> {
  const {
    status: ready = 'Unknown',
    reason = '',
    message = '',
  } = conditions.find(({ type }) => type === 'Ready') ?? {};
  const isStalled = conditions.some(({ type, status }) => type === 'Stalled' && status === 'True');
  return { ready, isStalled, reason, message: cutToCharacters(message, maxMessageLength) };
}

function podsRow(status: RealmRelayStatus): Pick<RelayRow, 'replicas' | 'readyReplicas' | 'updatedReplicas'> {
  const { replicas = 0, readyReplicas = 0, updatedReplicas = null } = status;
  return { replicas, readyReplicas, updatedReplicas };
}

function placeRow(
  status: RealmRelayStatus,
): Pick<RelayRow, 'endpoints' | 'unreadyEndpoints' | 'listening' | 'addresses' | 'operator'> {
  const { endpoints = [], listening = '', addressSummary = '', operator = '' } = status;
  return {
    endpoints: endpoints.length,
    unreadyEndpoints: endpoints.filter(({ ready }) => ready === false).length,
    listening: cutToCharacters(listening, maxAddressLength),
    addresses: cutToCharacters(addressSummary, maxAddressLength),
    operator,
  };
}
