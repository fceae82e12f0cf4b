import { DecoratorHandler, type Dispatcher } from 'undici';
import { RealmError } from '../lib/errors.ts';

/** Decides whether this process may write: a lease, while it is certain to be held. */
export type Fence = {
  /** Whether writing is allowed now. */
  readonly holds: () => boolean;
  /** Aborted once writing is not allowed any more, for good: requests under way are then cancelled. */
  readonly signal: AbortSignal;
};

/** A write was not sent, since another process may hold the lease. */
export class FencedError extends RealmError {
  readonly code = 'REALM_FENCED';

  constructor() {
    super('the lease is not held: the write was not sent');
  }
}

/**
 * `dispatcher`, which checks `fence` in the same step in which it passes a request to its socket. Between creation and that
 * step a request may wait for a connection, and the process may be suspended.
 */
export function fenced(dispatcher: Dispatcher, fence: Fence): Dispatcher {
  return dispatcher.compose(
    (dispatch) => (options, handler) => dispatch(options, new Fenced(handler, fence)),
  );
}

class Fenced extends DecoratorHandler {
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #fence: Fence;

  constructor(handler: Dispatcher.DispatchHandler, fence: Fence) {
    super(handler);
    this.#handler = handler;
    this.#fence = fence;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#handler.onRequestStart?.(controller, context);
    if (!this.#fence.holds()) controller.abort(new FencedError());
  }
}
