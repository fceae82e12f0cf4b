import type { Relay } from '../api/relay.ts';

/** Every reason that a condition can have; docs/status.md lists the remedy for each. */
export const reasons = [
  'Accepted',
  'Programmed',
  'Paused',
  'Invalid',
  'PortConflict',
  'HostPortConflict',
  'ResourceConflict',
  'ServiceImmutable',
  'RecreatingService',
  'FamilyUnavailable',
  'Terminating',
  'InvalidTemplate',
  'InvalidService',
  'InvalidObject',
  'ApplyFailed',
  'Contested',
  'WatchFailed',
  'NoWorkload',
  'NoMatchingNodes',
  'PodsNotReady',
  'PodsReady',
  'ScaledToZero',
  'PodsRefused',
  'RolloutFailed',
  'RolloutPaused',
  'ConfigPending',
  'ConfigRefused',
  'EndpointsNotReady',
  'AddressPending',
] as const;

/** The reason of a condition: one word for programs, and a sentence with the remedy for people. */
export type Reason = { readonly reason: (typeof reasons)[number]; readonly message: string };

/** The outcome of one reconcile, from which the status is computed. */
export type Verdict =
  /** Every object is as wanted. */
  | {
      readonly kind: 'programmed';
      readonly relay: Relay;
      readonly warnings: string;
      /** Whether another relay is certain to need the same ports on the same nodes. */
      readonly isNodeConflict?: boolean;
    }
  /** `spec.paused`: nothing was applied. */
  | { readonly kind: 'paused' }
  /** The spec is not accepted; objects applied earlier are left unchanged. */
  | ({ readonly kind: 'rejected' } & Reason)
  /** An object cannot be applied until the user does something. */
  | ({ readonly kind: 'blocked'; readonly configured: Relay | undefined } & Reason)
  /** An object is not applied yet; the operator retries. */
  | ({ readonly kind: 'pending'; readonly configured: Relay | undefined } & Reason);

/** The relay whose configuration was applied in this reconcile, if any. */
export function configured(verdict: Verdict): Relay | undefined {
  switch (verdict.kind) {
    case 'programmed':
      return verdict.relay;
    case 'blocked':
    case 'pending':
      return verdict.configured;
    case 'paused':
    case 'rejected':
      return undefined;
  }
}
