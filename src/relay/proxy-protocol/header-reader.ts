import type { AcceptProxy } from '../../config/network-keys.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import { isWithin } from '../../lib/address-ranges.ts';
import type { Reader } from '../net/channel.ts';
import { ProxyHeaderError, parseProxyHeader, type ProxyAddresses } from './header.ts';

/** Who is told of a client's header. */
export type ProxyHeaderListeners = {
  /** Told once; of undefined where the header tells of no client. What follows it is read on. */
  readonly onHeader: (addresses: ProxyAddresses | undefined) => void;
  readonly onError: (error: Error) => void;
};

/** Takes the PROXY header, however it is cut, off what a client sends, and lets the rest through. */
export class ProxyHeaderReader implements Reader {
  readonly #next: Reader;
  readonly #listeners: ProxyHeaderListeners;
  readonly #stopTimer: () => void;
  #head = Buffer.alloc(0);
  #state: 'waiting' | 'open' | 'failed' = 'waiting';

  /** @param behind  gets what follows the header. */
  constructor(behind: Reader, { timeoutMs }: AcceptProxy, clock: Clock, listeners: ProxyHeaderListeners) {
    this.#next = behind;
    this.#listeners = listeners;
    const late = (): void => {
      this.fail(new ProxyHeaderError(`the client sent no PROXY header within ${String(timeoutMs)} ms`));
    };
    this.#stopTimer = timeoutMs === 0 ? () => undefined : clock.after(timeoutMs, late);
  }

  nextBuffer(): Uint8Array {
    return this.#next.nextBuffer();
  }

  take(count: number, buffer: Uint8Array): boolean {
    if (this.#state === 'open') return this.#next.take(count, buffer);
    const rest = this.#afterHeader(buffer.subarray(0, count));
    return rest === undefined || this.#next.take(rest.length, rest);
  }

  end(): void {
    if (this.#state === 'open') this.#next.end();
    else this.fail(new ProxyHeaderError('the client ended before its PROXY header did'));
  }

  /** To be called when the client is gone. */
  close(): void {
    if (this.#state === 'waiting') this.#state = 'failed';
    this.#stopTimer();
  }

  /** Lets nothing through any more, where the header is not whole yet. */
  fail(error: Error): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'failed';
    this.#stopTimer();
    this.#listeners.onError(error);
  }

  /** @returns what follows the header; undefined where nothing does yet. */
  #afterHeader(part: Uint8Array): Buffer | undefined {
    if (this.#state === 'failed') return undefined;
    this.#head = Buffer.concat([this.#head, part]);
    try {
      const header = parseProxyHeader(this.#head);
      if (header === undefined) return undefined;
      const rest = this.#head.subarray(header.length);
      this.#head = Buffer.alloc(0);
      this.#state = 'open';
      this.#stopTimer();
      this.#listeners.onHeader(header.addresses);
      return rest.length === 0 ? undefined : rest;
    } catch (error) {
      this.fail(asError(error));
      return undefined;
    }
  }
}

/** Why no header of the peer at `address` is taken; undefined where one may be believed. */
export function untrustedSource(
  { trustedSources }: AcceptProxy,
  address: string,
): ProxyHeaderError | undefined {
  if (trustedSources.length === 0 || isWithin(trustedSources, address)) return undefined;
  return new ProxyHeaderError('PROXY headers of this client are not trusted: see accept_proxy_trusted');
}
