import type { Clock } from '../../lib/clock.ts';

/** How long an address is tried last. */
const deferralMs = 60_000;
/** Deferred addresses of one remote that are remembered. */
const maxDeferred = 64;

/**
 * The order in which to try the addresses of a remote by UDP, which has no handshake to race: as looked up, but an
 * address that did not answer while another one of the name did comes last for a minute.
 */
export class AddressOrder {
  readonly #clock: Clock;
  /** Until when an address is tried last. */
  readonly #deferred = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Another address of the remote has answered where this one had not. */
  defer(address: string): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [each, untilMs] of this.#deferred) if (untilMs <= nowMs) this.#deferred.delete(each);
    if (this.#deferred.size < maxDeferred) this.#deferred.set(address, nowMs + deferralMs);
  }

  /** The address has answered. */
  restore(address: string): void {
    this.#deferred.delete(address);
  }

  sorted(addresses: readonly string[]): readonly string[] {
    if (this.#deferred.size === 0) return addresses;
    const nowMs = this.#clock.monotonicMs();
    const isDeferred = (address: string): boolean => (this.#deferred.get(address) ?? nowMs) > nowMs;
    return [...addresses.filter((each) => !isDeferred(each)), ...addresses.filter(isDeferred)];
  }
}
