/**
 * `net`: TCP as the other rooms of the relay see it, and what Linux knows of sockets.
 *
 * Vocabulary. A `TcpStack` accepts and connects. A `Channel` is one connection; its `Reader` consumes what the peer
 * sends, and its `ChannelOwner` learns when writes drain, when the connection fails and when it closes. An `Accepted`
 * client is a connection that nobody reads yet.
 *
 * There are two stacks behind this contract: `handle-stack.ts` on Node's TCP handles, which cost half the CPU, and
 * `socket-stack.ts` on `net.Socket`, for a Node.js whose handles differ. `tcp-stack.ts` chooses one.
 *
 * Guarantee: both stacks behave alike. A write reports whether it has to wait, no event follows `onClosed`, and a
 * broken stream ends in a reset, not in a FIN, unless a FIN is already pending.
 */

import type { Server, Socket } from 'node:net';

/** Consumes what a channel reads. */
export type Reader = {
  /** Returns the buffer for the next read; called after each read. */
  readonly nextBuffer: () => Uint8Array;
  /**
   * Consumes the first `count` bytes of `buffer`, which is reused afterwards.
   *
   * @returns false to read no more until `resume()`.
   */
  readonly take: (count: number, buffer: Uint8Array) => boolean;
  /** The peer has ended its side; called at most once. */
  readonly end: () => void;
};

/** Receives the events of its channels. */
export type ChannelOwner = {
  /** Everything that had to wait is written: called after each `write` that returned false. */
  readonly onDrained: (channel: Channel) => void;
  /** Called at most once, while the channel is still open: the owner has to reset it. */
  readonly onFailed: (channel: Channel, error: Error) => void;
  /**
   * Called once, possibly from within `end`, `close` or `reset`: no event follows, and no buffer is in use any more.
   */
  readonly onClosed: (channel: Channel) => void;
};

/** How a channel notices that its peer is gone. */
export type Keepalive = {
  /** Milliseconds until the first probe, and between probes; 0 = no probes. */
  readonly tcpKeepaliveMs: number;
  readonly tcpKeepaliveProbes: number;
};

/**
 * One TCP connection as the relay uses it. It does not wait to fill packets (TCP_NODELAY), stays open for
 * writing when its peer ends, and closes once both sides have ended.
 */
export type Channel = {
  /** Sets the reader and the owner. Reading begins with `resume()`. */
  readonly open: (reader: Reader, owner: ChannelOwner, keepalive: Keepalive) => void;
  readonly resume: () => void;
  /** @returns whether all of `part` is written; if not, `part` must not change until `onDrained`. */
  readonly write: (part: Uint8Array) => boolean;
  /** Sends FIN after everything that was written. */
  readonly end: () => void;
  /** Closes at once, without a reset. */
  readonly close: () => void;
  /** Sends RST instead of FIN, so that the peer does not mistake a broken stream for a complete one. */
  readonly reset: () => void;
  /**
   * Reports to the owner if the peer has reset the connection, or is known to be gone, even while nothing is read, when
   * the event loop would not notice.
   */
  readonly probe: () => void;
  /** Whether something was written that the kernel has not accepted yet. */
  readonly isWaiting: boolean;
  /** Reads its own address from the kernel; '' and 0 if it has none yet, or is closed. */
  readonly local: () => Address;
  /** The same for its peer's. */
  readonly remote: () => Address;
};

/** One end of a connection. */
export type Address = { readonly address: string; readonly port: number };

/** A client that was accepted and that nobody reads yet. */
export type Accepted = {
  /** Read from the kernel on accept, because it forgets a client that leaves; '' and 0 if it has left already. */
  readonly remote: Address;
  readonly local: () => Address;
  /** To be called once; from then on only the channel is used. */
  readonly channel: () => Channel;
  /** The same client as a paused stream, instead of as a channel. */
  readonly socket: () => Socket;
  /** Has the kernel find out whether the client is still there. */
  readonly keepAlive: (keepalive: Keepalive) => void;
  /** Whether the client has reset the connection, or is known to be gone; one that only ended its side is not. */
  readonly isGone: () => boolean;
  /** Sends RST. */
  readonly reset: () => void;
};

/** Where to connect to. */
export type Target = Address & {
  /** Source address, whose port may be 0; undefined = the system's choice. */
  readonly from: Address | undefined;
};

/** A listening socket as Node has it. */
export type ListenHandle = { readonly close: () => void };

/** Duplicates listening sockets: while nobody reads the duplicate, clients wait in the kernel. */
export type HandleDuplicator = {
  /**
   * Duplicates the listening socket of `server`.
   *
   * @param onCopied  called once, later, with the duplicate; with undefined if that failed.
   * @returns true if the server may be closed at once; false if only after `onCopied`.
   */
  readonly duplicate: (server: Server, onCopied: DuplicateCallback) => boolean;
  /** To be called when the duplicator is no longer needed. */
  readonly release: () => void;
};

/** Receives a duplicated listening socket, or undefined if that failed. */
export type DuplicateCallback = (handle: ListenHandle | undefined) => void;

/** How the relay does TCP. */
export type TcpStack = {
  /** Passes each client of the listening `server` to `onAccepted`; the server keeps no track of it. */
  readonly accept: (server: Server, onAccepted: (client: Accepted) => void) => void;
  /** A duplicator for one listening socket; absent or undefined if this Node.js cannot duplicate handles. */
  readonly duplicator?: () => Promise<HandleDuplicator | undefined>;
  /**
   * Connects to an IP address.
   *
   * @param onConnected  called once, later, with the error if it failed; never after `close`.
   */
  readonly connect: (target: Target, onConnected: (error: Error | undefined) => void) => Channel;
};
