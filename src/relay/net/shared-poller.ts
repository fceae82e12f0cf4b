import { Poller } from '../kernel/poller.ts';

let poller: Poller | undefined;

/**
 * The poller of this thread, for TCP and UDP: their sockets take turns.
 *
 * @throws KernelUnavailableError if this process cannot make system calls.
 */
export function sharedPoller(): Poller {
  poller ??= new Poller();
  return poller;
}
