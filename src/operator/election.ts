import { KubeClient } from '../kube/client.ts';
import type { KubeConfigLoader } from '../kube/kube-config.ts';
import { Lease, type LeaseTerms } from '../kube/lease.ts';
import type { Clock } from '../lib/clock.ts';
import { within } from '../lib/within.ts';
import type { Logger } from '../telemetry/logger.ts';

/** How long a connection to the API server that does not close may delay the end, in milliseconds. */
export const closeMs = 1_000;
/** How long the release of the lease may delay the end; others then wait until the lease is over. */
const releaseMs = 3_000;

/** What an election works with. */
export type ElectionOptions = {
  readonly kubeConfig: KubeConfigLoader;
  readonly clock: Clock;
  readonly log: Logger;
  /** The lease that the leader holds; without it there is no election. */
  readonly lease?: LeaseTerms;
};

/** The election of a leader among several operators. */
export type Election = {
  readonly lease: Lease;
  /** Releases the lease, so that the next leader need not wait: within 4 s, whatever the API server does. */
  readonly release: () => Promise<void>;
};

/**
 * Starts trying to acquire the lease, with a client of its own.
 *
 * @param apiResponded  called with the method and the status code of each answer of the API server.
 * @returns undefined without a lease.
 */
export function startElection(
  { lease: terms, kubeConfig, clock, log }: ElectionOptions,
  apiResponded: (method: string, code: string) => void,
): Election | undefined {
  if (terms === undefined) return undefined;
  const client = new KubeClient(kubeConfig, clock, undefined, apiResponded);
  const lease = new Lease({ client, clock, log, ...terms });
  lease.start();
  return {
    lease,
    release: async () => {
      await within(clock, releaseMs, lease.release());
      await within(clock, closeMs, client.close());
    },
  };
}
