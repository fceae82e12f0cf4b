import { payloadBytes } from '../../lib/payload.ts';
import type { UdpCheckConfig } from '../../config/health-check-keys.ts';
import type { Target } from '../net/channel.ts';
import type { UdpChannel, UdpStack } from '../net/datagrams.ts';
import type { ConnectionAttempt } from './happy-eyeballs.ts';

/** A check by UDP, with its texts as bytes. */
export type UdpQuery = {
  readonly udp: UdpStack;
  /** Code point of its packets, 0 to 63. */
  readonly dscp: number;
  readonly datagram: Uint8Array;
  /** What the answer must contain; empty = any answer will do. */
  readonly expected: Uint8Array;
};

/** The texts of `check` as bytes. @param header  goes before the datagram; empty = nothing. */
export function udpQuery(
  { send, expect = '' }: UdpCheckConfig,
  header: Uint8Array,
): Pick<UdpQuery, 'datagram' | 'expected'> {
  return { datagram: Buffer.concat([header, bytesOf(send)]), expected: bytesOf(expect) };
}

/** The configuration is valid, so only an empty text is no payload. */
function bytesOf(text: string): Uint8Array {
  return payloadBytes(text) ?? new Uint8Array();
}

/**
 * Asks one address by UDP, as an attempt of a `Dial`: it is connected when the expected answer has arrived, and has failed
 * when another one has, or an ICMP error.
 */
export class UdpProbe implements ConnectionAttempt {
  readonly #channel: UdpChannel;
  #isDone = false;

  /** @param onConnected  called once, later, with the error if it failed. */
  constructor(
    target: Target,
    { udp, dscp, datagram, expected }: UdpQuery,
    onConnected: (error: Error | undefined) => void,
  ) {
    const end = (error: Error | undefined): void => {
      if (this.#isDone) return;
      this.#isDone = true;
      onConnected(error);
    };
    this.#channel = udp.connect(target, dscp, {
      onConnected: () => {
        this.#channel.send(datagram);
      },
      onDatagram: (answer) => {
        end(
          Buffer.from(answer).includes(expected)
            ? undefined
            : new Error('the answer is not the expected one'),
        );
      },
      onError: end,
    });
  }

  /** To be called once. */
  close(): void {
    this.#isDone = true;
    this.#channel.close();
  }
}
