/**
 * UDP over several threads.
 *
 * Each thread receives from a socket of its own of those that share a port, and a client's datagrams always arrive at the
 * same one. The main thread decides about every client; a thread passes what it receives on to it. Once there is nothing to
 * decide for a while, the main thread offers the thread a *flow*: the thread then *carries* the client's datagrams and the
 * answers, and returns the flow as soon as there is something to decide again, such as an error or silence.
 *
 * Guarantee: one thread at a time reads and sends the datagrams of a client, and their order stays.
 */
import type { PeerWords } from '../kernel/datagram-peer.ts';
import type { Flow, FlowRequest } from './datagrams.ts';

/** Datagrams that a thread has received of clients without a flow. */
export type DatagramBatch = {
  /** The words of the peer of each, one after the other. */
  readonly peers: PeerWords;
  /** The bytes of each, one after the other. */
  readonly data: Uint8Array;
  /** How many bytes each has. */
  readonly lengths: readonly number[];
};

/** What becomes of a socket that another thread receives from. */
export type ThreadListeners = {
  readonly onBatch: (batch: DatagramBatch) => void;
  /** No thread receives any more, since it has ended: this one is to do that until `onThread`. */
  readonly onNoThread: () => void;
  /** A thread is ready to receive: this one must not receive any more when this returns. */
  readonly onThread: () => void;
};

/** A client's side of a flow, and how the main thread gives the remote's side away and takes it back. */
export type FlowEnds = {
  /** The words of the client. */
  readonly client: PeerWords;
  /** The socket to the remote, which only the thread reads and sends from until `takeBack`; undefined if it is closed. */
  readonly lend: () => number | undefined;
  /** @param error  the negative number of the error that it had; 0 if there is none. */
  readonly takeBack: (error: number) => void;
};

/** A socket that a thread receives from. */
export type ThreadSocket = {
  /** @returns undefined if there is no room for another flow. */
  readonly offer: (request: FlowRequest, ends: FlowEnds) => Flow | undefined;
  /** It has `count` more clients; negative = fewer. */
  readonly countClients: (count: number) => void;
  /** Receives nothing any more; flows go on. */
  readonly stopReceiving: () => void;
  /** Returns its flows. Resolves once the thread does not use the socket any more. */
  readonly leave: () => Promise<void>;
};

/** Another thread of this process that receives datagrams. */
export type UdpThread = {
  /** Receives from the listening socket `fd`, which stays open until `leave` of the result has resolved. */
  readonly receive: (fd: number, listeners: ThreadListeners) => ThreadSocket;
  /** Datagrams that it has lost. */
  readonly lost: () => number;
};
