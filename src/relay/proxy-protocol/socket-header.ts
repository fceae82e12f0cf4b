import type { Socket } from 'node:net';
import type { AcceptProxy } from '../../config/network-keys.ts';
import type { Clock } from '../../lib/clock.ts';
import { distrust, ProxyGate } from './header-reader.ts';
import type { ProxyAddresses } from './header.ts';
import { landingBuffer } from '../net/read-buffers.ts';

/**
 * Takes the PROXY header off what `raw` brings; what follows it is put back, and nobody reads `raw` afterwards.
 *
 * @returns undefined where the header tells of no client.
 * @throws ProxyHeaderError
 */
export async function proxyHeaderOf(
  raw: Socket,
  accept: AcceptProxy,
  clock: Clock,
): Promise<ProxyAddresses | undefined> {
  const distrusted = distrust(accept, raw.remoteAddress ?? '');
  if (distrusted !== undefined) throw distrusted;
  const { promise, resolve, reject } = Promise.withResolvers<ProxyAddresses | undefined>();
  const behind = {
    nextBuffer: () => landingBuffer,
    take: (count: number, buffer: Uint8Array) => {
      raw.pause();
      raw.unshift(Buffer.from(buffer.subarray(0, count)));
      return true;
    },
    end: () => undefined,
  };
  const gate = new ProxyGate(behind, accept, clock, { onHeader: resolve, onError: reject });
  const onData = (part: Buffer): void => {
    gate.take(part.length, part);
  };
  const onEnd = (): void => {
    gate.end();
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
