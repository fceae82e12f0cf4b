/** What a finished reconcile requests for its key. */
export type Action =
  | { readonly kind: 'awaitChange' }
  | { readonly kind: 'requeueAfter'; readonly delayMs: number }
  | { readonly kind: 'resyncAfter'; readonly delayMs: number }
  | { readonly kind: 'retryAfter'; readonly delayMs: number };

/** Nothing until something changes. Only correct if every change that matters is sure to be noticed. */
export const awaitChange: Action = { kind: 'awaitChange' };

/** Another reconcile after `delayMs`, or sooner if something changes. */
export function requeueAfter(delayMs: number): Action {
  return { kind: 'requeueAfter', delayMs };
}

/** Another reconcile in the background after about `delayMs`: nothing is known to have changed, so keys with news go first. */
export function resyncAfter(delayMs: number): Action {
  return { kind: 'resyncAfter', delayMs };
}

/** Another reconcile after `delayMs`, or sooner if something changes. This one failed, and who refused it named the delay. */
export function retryAfter(delayMs: number): Action {
  return { kind: 'retryAfter', delayMs };
}
