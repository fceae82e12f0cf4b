import type { Server, Socket } from 'node:net';

/** Takes what is read of a channel. */
export type Reader = {
  /** The buffer for the next read; asked for after each one. */
  readonly nextBuffer: () => Uint8Array;
  /** Takes `count` bytes at the start of `buffer`, which is reused; false = read no more until `resume()`. */
  readonly take: (count: number, buffer: Uint8Array) => boolean;
  /** The peer has ended its side; called at most once. */
  readonly end: () => void;
};

/** Who is told of what happens to its channels. */
export type ChannelOwner = {
  /** All that had to wait is written: called after each `write` that returned false. */
  readonly onDrained: (channel: Channel) => void;
  /** Called at most once, and the channel is still open: the owner resets it. */
  readonly onFailed: (channel: Channel, error: Error) => void;
  /** Called once, perhaps from within `end`, `close` or `reset`: nothing more comes, and no buffer is used any more. */
  readonly onClosed: (channel: Channel) => void;
};

/** How a channel notices that its peer is gone. */
export type Keepalive = {
  /** Until the first probe, and between probes; 0 = none. */
  readonly tcpKeepaliveMs: number;
  readonly tcpKeepaliveProbes: number;
};

/**
 * One TCP connection as the relay uses it. It does not wait to fill packets (TCP_NODELAY), stays open for
 * writing when its peer ends, and closes once both sides have ended.
 */
export type Channel = {
  /** Names those who are told. Reading begins with `resume()`. */
  readonly open: (reader: Reader, owner: ChannelOwner, keepalive: Keepalive) => void;
  readonly resume: () => void;
  /** @returns whether all of it is written; if not, `part` must stay as it is until `onDrained`. */
  readonly write: (part: Uint8Array) => boolean;
  /** FIN, behind all that was written. */
  readonly end: () => void;
  /** Closes at once, without a reset. */
  readonly close: () => void;
  /** RST instead of FIN, so that the peer does not take a broken stream for a whole one. */
  readonly reset: () => void;
  /** Whether something was written that the kernel has not taken yet. */
  readonly isWaiting: boolean;
  /** Asked of the kernel; '' and 0 where it is closed. */
  readonly addresses: () => { readonly local: Address; readonly remote: Address };
};

/** One end of a connection. */
export type Address = { readonly address: string; readonly port: number };

/** A client that was accepted and is not read yet. */
export type Accepted = Pick<Channel, 'reset'> & {
  /** Asked of the kernel at once, since a client that goes is forgotten; '' and 0 where it is gone already. */
  readonly remote: Address;
  readonly local: () => Address;
  /** To be called once; from then on the channel alone is used. */
  readonly channel: () => Channel;
  /** The same as a stream, paused, in place of the channel. */
  readonly socket: () => Socket;
};

/** Where to connect to. */
export type Target = Address & {
  /** Source address, whose port may be 0; undefined = the system's choice. */
  readonly from: Address | undefined;
};

/** What a server listens with, as Node has it. */
export type ListenHandle = { readonly close: () => void };

/** Makes second handles of listening sockets: one that is not read lets clients wait in the kernel. */
export type HandleDuplicator = {
  /**
   * Copies what `server` listens with.
   *
   * @param onCopied  told once, later: of the copy, or that there is none.
   * @returns whether the server may be closed at once; if not, only when the copy is there.
   */
  readonly duplicate: (server: Server, onCopied: (handle: ListenHandle | undefined) => void) => boolean;
  /** To be called when it is needed no more. */
  readonly release: () => void;
};

/** How the relay does TCP. */
export type TcpStack = {
  /** Hands over each client of `server`, which listens; the server knows nothing of it any more. */
  readonly accept: (server: Server, onAccepted: (client: Accepted) => void) => void;
  /** What copies handles for one listening socket; absent or undefined where this Node cannot. */
  readonly duplicator?: () => Promise<HandleDuplicator | undefined>;
  /**
   * Connects to an IP address.
   *
   * @param onConnected  told once, later; of the error where it could not. Never after `close`.
   */
  readonly connect: (target: Target, onConnected: (error: Error | undefined) => void) => Channel;
};
