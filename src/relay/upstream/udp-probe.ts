import type { Socket } from 'node:dgram';
import { payloadBytes } from '../../lib/payload.ts';
import type { UdpCheckConfig } from '../../config/health-check-keys.ts';
import type { Target } from '../net/channel.ts';
import type { ConnectionAttempt } from './happy-eyeballs.ts';
import { connectUdp } from './udp-socket.ts';

/** A check by UDP, with its texts as bytes. */
export type UdpQuery = {
  readonly datagram: Uint8Array;
  /** What the answer must contain; empty = any answer will do. */
  readonly expected: Uint8Array;
};

/** The query of `check`. @param header  goes before the datagram; empty = nothing. */
export function udpQuery({ send, expect = '' }: UdpCheckConfig, header: Uint8Array): UdpQuery {
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
  readonly #socket: Socket;
  #isDone = false;

  /** @param onConnected  called once, later, with the error if it failed. */
  constructor(
    target: Target,
    { datagram, expected }: UdpQuery,
    onConnected: (error: Error | undefined) => void,
  ) {
    const end = (error: Error | undefined): void => {
      if (this.#isDone) return;
      this.#isDone = true;
      onConnected(error);
    };
    this.#socket = connectUdp(target, {
      onConnected: () => {
        if (this.#isDone) return;
        this.#socket.send(datagram, (error) => {
          if (error !== null) end(error);
        });
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
    this.#socket.close();
  }
}
