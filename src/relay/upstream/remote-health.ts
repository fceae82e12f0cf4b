/** The last health check of a remote. */
export type LastCheck = {
  /** When it ended, ISO 8601. */
  readonly time: string;
  readonly passed: boolean;
  /** Why it failed; '' if it passed. */
  readonly message: string;
};

/** A failure of a remote: of a dial, or of a health check. */
export type RemoteFailure = {
  /** ISO 8601. */
  readonly time: string;
  readonly message: string;
};

/** What is counted of a remote; the counts of several ports and processes add up. */
export type RemoteCounts = {
  /** Connections or associations that are open or being dialled. */
  readonly active: number;
  /** Dials so far, including failed ones. */
  readonly dials: number;
  /** Dials that failed. */
  readonly failed: number;
  /** Bytes of its clients. */
  readonly fromClientBytes: number;
  /** Bytes that it sent to them. */
  readonly fromUpstreamBytes: number;
};

/** The health of a remote, as `/status` reports it. */
export type RemoteHealth = RemoteCounts & {
  readonly address: string;
  /** `unknown` until the first dial or check has ended. */
  readonly state: 'healthy' | 'unhealthy' | 'unknown';
  /** Whether checks pass and the last dial succeeded; null if that is unknown. */
  readonly healthy: boolean | null;
  /** Why it is unhealthy; '' if it is not. */
  readonly reason: '' | 'DialFailed' | 'CheckFailed';
  /** Null without health checks, and before the first has ended. */
  readonly lastCheck: LastCheck | null;
  /** The last failed dial or check; null if there was none. */
  readonly lastFailure: RemoteFailure | null;
};

/** The fields of a remote's health that follow from its state. */
export function healthOf(state: RemoteHealth['state']): Pick<RemoteHealth, 'state' | 'healthy'> {
  return { state, healthy: state === 'unknown' ? null : state === 'healthy' };
}

const noCounts: RemoteCounts = { active: 0, dials: 0, failed: 0, fromClientBytes: 0, fromUpstreamBytes: 0 };

/** The sum of each count. */
export function sumOfCounts(counts: readonly RemoteCounts[]): RemoteCounts {
  return counts.reduce<RemoteCounts>(
    (sum, each) => ({
      active: sum.active + each.active,
      dials: sum.dials + each.dials,
      failed: sum.failed + each.failed,
      fromClientBytes: sum.fromClientBytes + each.fromClientBytes,
      fromUpstreamBytes: sum.fromUpstreamBytes + each.fromUpstreamBytes,
    }),
    noCounts,
  );
}

/** The one with the latest time; null if there is none. */
export function latest<T extends { readonly time: string }>(all: readonly (T | null)[]): T | null {
  return all.reduce<T | null>(
    (last, each) => (each !== null && (last === null || each.time > last.time) ? each : last),
    null,
  );
}
