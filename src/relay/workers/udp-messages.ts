import type { PeerWords } from '../kernel/datagram-peer.ts';
import type { DatagramBatch } from '../net/udp-threads.ts';

/** Number of a listening socket, or of a flow, for one worker. */
type Id = number;

/** What the main thread tells a worker about UDP. */
export type UdpOrder =
  /** Receive from the listening socket `fd`. */
  | { readonly kind: 'receive'; readonly socket: Id; readonly fd: number }
  /** Receive nothing from it any more; its flows go on. */
  | { readonly kind: 'stop'; readonly socket: Id }
  /** Return its flows, and report `left`. */
  | { readonly kind: 'leave'; readonly socket: Id }
  /** Keep the datagrams of a client until `carry`, and report `ready`. */
  | { readonly kind: 'offer'; readonly socket: Id; readonly flow: CarriedFlow }
  /** Carry the flow from now on, by the socket `upstream` to the remote. */
  | { readonly kind: 'carry'; readonly flow: Id; readonly upstream: number }
  /** Return the flow. */
  | { readonly kind: 'return'; readonly flow: Id };

/** A flow, as a worker gets it. */
export type CarriedFlow = {
  readonly id: Id;
  /** Where its figures are: see `figure`. */
  readonly slot: number;
  readonly client: PeerWords;
  /** See `FlowRequest`. */
  readonly header: Uint8Array | undefined;
  readonly isAnswered: boolean;
  readonly silentMs: number;
  readonly notBeforeMs: number;
};

/** What a worker tells the main thread about UDP. */
export type UdpReport =
  | { readonly kind: 'batch'; readonly socket: Id; readonly batch: DatagramBatch }
  /** All datagrams of the flow's client that it has received before were reported. */
  | { readonly kind: 'ready'; readonly flow: Id }
  /** It uses the socket to the remote no more. `error` is that of `FlowEnds.takeBack`. */
  | { readonly kind: 'returned'; readonly flow: Id; readonly error: number }
  | { readonly kind: 'left'; readonly socket: Id };

/** Memory that a worker and the main thread read and write. */
export type CarriedMemory = {
  /** The figures of flows, by slot. */
  readonly figures: Float64Array;
  /** Bytes of the batches that the main thread has still to process. */
  readonly backlog: Int32Array;
  /** Datagrams that the worker has lost. */
  readonly lost: Int32Array;
};

/** Where each figure is, from the beginning of its slot; times are those of the main thread, 0 = none. */
export const figure = { lastMs: 0, fromClientBytes: 1, fromUpstreamBytes: 2, unansweredMs: 3 } as const;

/** The figures of a slot. */
export const figuresOfSlot = 4;

/** How many flows a worker carries at a time; the main thread serves further ones. */
export const maxFlows = 32_768;

/** Memory for one worker. The system provides it page by page, as it is used. */
export function newCarriedMemory(): CarriedMemory {
  return {
    figures: new Float64Array(new SharedArrayBuffer(8 * figuresOfSlot * maxFlows)),
    backlog: new Int32Array(new SharedArrayBuffer(4)),
    lost: new Int32Array(new SharedArrayBuffer(4)),
  };
}
