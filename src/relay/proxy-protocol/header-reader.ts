import type { AcceptProxy } from '../../config/network-keys.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import { isWithin } from '../../lib/address-ranges.ts';
import type { Channel, Reader } from '../net/channel.ts';
import { NoDataError } from '../net/no-data-error.ts';
import { maxHeaderBytes, ProxyHeaderError, parseProxyHeader, type ProxyAddresses } from './header.ts';

/** Receives the outcome of reading a client's header; one of the two is called, once. */
export type ProxyHeaderListeners = {
  /** @param addresses  undefined if the header names no client. */
  readonly onHeader: (addresses: ProxyAddresses | undefined) => void;
  readonly onError: (error: Error) => void;
};

const empty = Buffer.alloc(0);

/** Strips the PROXY header from what a client sends, however it is split, and passes the rest on. */
export class ProxyHeaderReader implements Reader {
  readonly #next: Reader;
  readonly #listeners: ProxyHeaderListeners;
  readonly #stopTimer: () => void;
  /** Space for the header, of which `#length` bytes are received. */
  #head: Buffer = empty;
  #length = 0;
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

  get maxBytes(): number {
    return this.#next.maxBytes;
  }

  /** Where the bytes go that follow the header; undefined before that. */
  get target(): Channel | undefined {
    return this.#state === 'done' ? this.#next.target : undefined;
  }

  take(part: Uint8Array): boolean {
    if (this.#state === 'done') return this.#next.take(part);
    const rest = this.#consumeHeader(part);
    return rest === undefined || this.#next.take(rest);
  }

  moved(count: number): void {
    this.#next.moved(count);
  }

  blocked(): void {
    this.#next.blocked();
  }

  end(): void {
    if (this.#state === 'done') this.#next.end();
    else if (this.isUntouched) this.fail(new NoDataError());
    else
      this.fail(
        new ProxyHeaderError('the client closed the connection before its PROXY header was complete'),
      );
  }

  /** Whether the client has sent nothing yet. */
  get isUntouched(): boolean {
    return this.#state === 'reading' && this.#length === 0;
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
    this.#head = empty;
    this.#stopTimer();
    this.#listeners.onError(error);
  }

  /** @returns what follows the header; undefined if nothing does yet. */
  #consumeHeader(part: Uint8Array): Buffer | undefined {
    if (this.#state === 'failed') return undefined;
    const before = this.#length;
    try {
      const header = parseProxyHeader(this.#append(part));
      if (header === undefined) return undefined;
      this.#head = empty;
      this.#state = 'done';
      this.#stopTimer();
      this.#listeners.onHeader(header.addresses);
      const rest = part.subarray(header.length - before); // without it the bytes before were incomplete
      return rest.length === 0 ? undefined : Buffer.from(rest); // a copy, because the memory of `part` is reused
    } catch (error) {
      this.fail(asError(error));
      return undefined;
    }
  }

  /**
   * Adds as much of `part` as a header may have. Doubles the space, so that a header sent byte by byte costs linear
   * time.
   */
  #append(part: Uint8Array): Buffer {
    const length = Math.min(this.#length + part.length, maxHeaderBytes);
    if (length > this.#head.length) {
      const grown = Buffer.alloc(Math.min(Math.max(length, 2 * this.#head.length), maxHeaderBytes));
      this.#head.copy(grown, 0, 0, this.#length);
      this.#head = grown;
    }
    this.#head.set(part.subarray(0, length - this.#length), this.#length);
    this.#length = length;
    return this.#head.subarray(0, length);
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
