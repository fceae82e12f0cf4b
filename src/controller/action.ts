/** What a finished reconcile asks for. */
export type Action =
  | { readonly kind: 'awaitChange' }
  | { readonly kind: 'requeueAfter'; readonly delayMs: number }
  | { readonly kind: 'resyncAfter'; readonly delayMs: number };

/** Nothing more, until something changes. Only where every change that matters is sure to be noticed. */
export const awaitChange: Action = { kind: 'awaitChange' };

/** Another turn after `delayMs`, or sooner if something changes. */
export function requeueAfter(delayMs: number): Action {
  return { kind: 'requeueAfter', delayMs };
}

/** Another look in the background after about `delayMs`: nothing is known to have changed, so news goes before it. */
export function resyncAfter(delayMs: number): Action {
  return { kind: 'resyncAfter', delayMs };
}
