import { DecoratorHandler, type Dispatcher } from 'undici';
import { RealmError } from '../lib/errors.ts';

/** Decides whether we may write: a lease, while it is proved to be held. */
export type Fence = {
  /** Whether it is so now. */
  readonly holds: () => boolean;
  /** Aborted once it never will be again: what is under way is then given up. */
  readonly signal: AbortSignal;
};

/** A write was not sent, since another may hold the lease. */
export class FencedError extends RealmError {
  readonly code = 'REALM_FENCED';

  constructor() {
    super('the lease is not held, so nothing is written');
  }
}

/**
 * `dispatcher`, with `fence` asked in the very step in which a request goes to its socket. A request may have waited for a
 * connection since it was made, and the process may have been stopped meanwhile.
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
