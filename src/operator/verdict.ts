import type { Relay } from '../api/relay.ts';

/** Every reason that a condition can have; docs/status.md says of each what to do. */
export const reasons = [
  'Accepted',
  'Programmed',
  'Paused',
  'Invalid',
  'PortConflict',
  'ResourceConflict',
  'ServiceImmutable',
  'RecreatingService',
  'Terminating',
  'InvalidTemplate',
  'InvalidService',
  'InvalidObject',
  'ApplyFailed',
  'NoDeployment',
  'PodsNotReady',
  'PodsReady',
  'ScaledToZero',
  'PodsRefused',
  'RolloutFailed',
  'ConfigPending',
  'ConfigRefused',
  'EndpointsNotReady',
] as const;

/** Why something is as it is: one word for programs, a sentence with the remedy for people. */
export type Reason = { readonly reason: (typeof reasons)[number]; readonly message: string };

/** What one reconcile came to; the status is made from it. */
export type Verdict =
  /** Every object is as wanted. */
  | { readonly kind: 'programmed'; readonly relay: Relay; readonly warnings: string }
  /** `spec.paused`: nothing was applied. */
  | { readonly kind: 'paused' }
  /** The spec cannot be run; what was applied before stays. */
  | ({ readonly kind: 'rejected' } & Reason)
  /** An object cannot be as wanted until the user does something. */
  | ({ readonly kind: 'blocked'; readonly configured: Relay | undefined } & Reason)
  /** An object is not as wanted yet, and another try follows by itself. */
  | ({ readonly kind: 'pending'; readonly configured: Relay | undefined } & Reason);

/** The relay whose configuration was applied in this reconcile. */
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
