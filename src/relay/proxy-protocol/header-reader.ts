import type { AcceptProxy } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import { isWithin } from '../../lib/address-ranges.ts';
import type { Reader } from '../net/channel.ts';
import { ProxyHeaderError, parseProxyHeader, type ProxyAddresses } from './header.ts';

/** Receives the outcome of reading a client's header; one of the two is called, once. */
export type ProxyHeaderListeners = {
  /** @param addresses  undefined if the header names no client. */
  readonly onHeader: (addresses: ProxyAddresses | undefined) => void;
  readonly onError: (error: Error) => void;
};

/** Strips the PROXY header from what a client sends, however it is split, and passes the rest on. */
export class ProxyHeaderReader implements Reader {
  readonly #next: Reader;
  readonly #listeners: ProxyHeaderListeners;
  readonly #stopTimer: () => void;
  #head = Buffer.alloc(0);
  #state: 'reading' | 'done' | 'failed' = 'reading';

  /** @param next  receives what follows the header. */
  constructor(next: Reader, { timeoutMs }: AcceptProxy, clock: Clock, listeners: ProxyHeaderListeners) {
    this.#next = next;
    this.#listeners = listeners;
    const onTimeout = (): void => {
      this.fail(new ProxyHeaderError(`the client sent no PROXY header within ${String(timeoutMs)} ms`));
    };
    this.#stopTimer = timeoutMs === 0 ? () => undefined : clock.after(timeoutMs, onTimeout);
  }

  nextBuffer(): Uint8Array {
    return this.#next.nextBuffer();
  }

  take(count: number, buffer: Uint8Array): boolean {
    if (this.#state === 'done') return this.#next.take(count, buffer);
    const rest = this.#consumeHeader(buffer.subarray(0, count));
    return rest === undefined || this.#next.take(rest.length, rest);
  }

  end(): void {
    if (this.#state === 'done') this.#next.end();
    else this.fail(new ProxyHeaderError('the client ended before its PROXY header did'));
  }

  /** To be called when the client is gone; cancels the timeout. */
  close(): void {
    if (this.#state === 'reading') this.#state = 'failed';
    this.#stopTimer();
  }

  /** Gives up if the header is incomplete: reports `error` and discards everything from then on. */
  fail(error: Error): void {
    if (this.#state !== 'reading') return;
    this.#state = 'failed';
    this.#stopTimer();
    this.#listeners.onError(error);
  }

  /** @returns what follows the header; undefined if nothing does yet. */
  #consumeHeader(part: Uint8Array): Buffer | undefined {
    if (this.#state === 'failed') return undefined;
    this.#head = Buffer.concat([this.#head, part]);
    try {
      const header = parseProxyHeader(this.#head);
      if (header === undefined) return undefined;
      const rest = this.#head.subarray(header.length);
      this.#head = Buffer.alloc(0);
      this.#state = 'done';
      this.#stopTimer();
      this.#listeners.onHeader(header.addresses);
      return rest.length === 0 ? undefined : rest;
    } catch (error) {
      this.fail(asError(error));
      return undefined;
    }
  }
}

/** Why no header of the peer at `address` is accepted; undefined if it is trusted. */
export function untrustedSource(
  { trustedSources }: AcceptProxy,
  address: string,
): ProxyHeaderError | undefined {
  if (trustedSources.length === 0 || isWithin(trustedSources, address)) return undefined;
  return new ProxyHeaderError('PROXY headers of this client are not trusted: see accept_proxy_trusted');
}
