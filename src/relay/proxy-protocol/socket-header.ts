import type { Socket } from 'node:net';
import type { AcceptProxy } from '../../config/network-keys.ts';
import type { Clock } from '../../lib/clock.ts';
import { untrustedSource, ProxyHeaderReader } from './header-reader.ts';
import type { ProxyAddresses } from './header.ts';

/**
 * Reads the PROXY header from `raw`; puts back what follows it, and leaves `raw` paused.
 *
 * @returns undefined if the header names no client.
 * @throws ProxyHeaderError if the header is invalid, late or not trusted.
 */
export async function readProxyHeader(
  raw: Socket,
  accept: AcceptProxy,
  clock: Clock,
): Promise<ProxyAddresses | undefined> {
  const untrusted = untrustedSource(accept, raw.remoteAddress ?? '');
  if (untrusted !== undefined) throw untrusted;
  const { promise, resolve, reject } = Promise.withResolvers<ProxyAddresses | undefined>();
  const next = {
    take: (part: Uint8Array) => {
      raw.pause();
      raw.unshift(Buffer.from(part));
      return true;
    },
    end: () => undefined,
    maxBytes: Infinity,
    target: undefined,
    moved: () => undefined,
    blocked: () => undefined,
  };
  const reader = new ProxyHeaderReader(next, accept, clock, { onHeader: resolve, onError: reject });
  const onData = (part: Buffer): void => {
    reader.take(part);
  };
  const onEnd = (): void => {
    reader.end();
  };
  raw.on('data', onData).once('end', onEnd).once('close', onEnd);
  raw.resume();
  try {
    return await promise;
  } finally {
    raw.off('data', onData).off('end', onEnd).off('close', onEnd);
    raw.pause();
  }
}
