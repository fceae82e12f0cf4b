import type { Accepted } from './channel.ts';

/** `accepted`, of which `received` was read before. */
export function withReceived(accepted: Accepted, received: Uint8Array): Accepted {
  return {
    received,
    remote: accepted.remote,
    local: () => accepted.local(),
    channel: () => accepted.channel(),
    stream: (settings) => {
      const stream = accepted.stream(settings).pause();
      stream.unshift(received);
      return stream;
    },
    keepAlive: (settings) => {
      accepted.keepAlive(settings);
    },
    isGone: () => accepted.isGone(),
    reset: () => {
      accepted.reset();
    },
  };
}
