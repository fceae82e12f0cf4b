/**
 * `net`: TCP as the other rooms of the relay see it, and what Linux knows of sockets.
 *
 * Vocabulary. A `TcpStack` listens, accepts and connects. A `Channel` is one connection; its `Reader` consumes what the
 * peer sends, and its `ChannelOwner` learns when writes drain, when the connection fails and when it closes. An
 * `Accepted` client is a connection that nobody reads yet.
 *
 * There are two stacks behind this contract: `kernel-stack.ts` on system calls, which moves large streams without copying
 * them, and `socket-stack.ts` on `node:net`, which runs everywhere and is the reference.
 *
 * Guarantee: both stacks behave alike. A write reports whether it has to wait, no event follows `onClosed`, and a
 * broken stream ends in a reset, not in a FIN, unless a FIN is already pending.
 */

import type { Socket } from 'node:net';
import type { MptcpFault } from './mptcp-error.ts';

/** Consumes what a channel reads. */
export type Reader = {
  /**
   * Consumes `part`, whose memory is reused afterwards.
   *
   * @returns false to read no more until `resume()`.
   */
  readonly take: (part: Uint8Array) => boolean;
  /** The peer has ended its side; called at most once. */
  readonly end: () => void;
  /** How many bytes it wants at a time; a stack that reads into a buffer of its own may bring more. */
  readonly maxBytes: number;
  /** If set, all that comes goes there unchanged: a stack may move it on without calling `take`, and calls `moved`. */
  readonly target: Channel | undefined;
  /** `count` bytes are on their way to `target`. */
  readonly moved: (count: number) => void;
  /** What was moved has to wait there: nothing is read until `resume()`. */
  readonly blocked: () => void;
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

/** What is set for the socket of a connection: how it notices that its peer is gone, and how its packets are marked. */
export type SocketSettings = {
  /** Milliseconds until the first probe, and between probes; 0 = no probes. */
  readonly tcpKeepaliveMs: number;
  readonly tcpKeepaliveProbes: number;
  /** Milliseconds that what was sent may stay unacknowledged; 0 = as the system has it. */
  readonly tcpUserTimeoutMs: number;
  /** Differentiated services code point of its packets, 0 to 63. Source: RFC 2474, section 3. */
  readonly dscp: number;
};

/**
 * One TCP connection as the relay uses it. It does not wait to fill packets (TCP_NODELAY), stays open for
 * writing when its peer ends, and closes once both sides have ended.
 */
export type Channel = {
  /** Sets the reader and the owner; again, only while nothing is read. Reading begins with `resume()`. */
  readonly open: (reader: Reader, owner: ChannelOwner, settings: SocketSettings) => void;
  readonly resume: () => void;
  /**
   * @param part  what a reader of the same stack takes, or bytes that do not change until `onDrained`.
   * @returns whether all of it is written.
   */
  readonly write: (part: Uint8Array) => boolean;
  /** The same connection as a stream from now on, while nothing is read: no event of the channel follows. */
  readonly stream: (settings: SocketSettings) => Socket;
  /** The same for another thread, by the number of its descriptor, which that thread owns. Absent if the stack cannot. */
  readonly handOver?: () => number;
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
  /** How much of what was written the kernel has not accepted yet. */
  readonly waitingBytes: number;
  /**
   * How much of what the kernel has accepted the peer has not acknowledged: it becomes less until it is 0. Undefined if the kernel
   * does not say. Absent if the stack cannot ask for it.
   */
  readonly unacknowledged?: () => number | undefined;
  /** Reads its own address from the kernel; '' and 0 if it has none yet, or is closed. */
  readonly local: () => Address;
  /** The same for its peer's. */
  readonly remote: () => Address;
};

/** One end of a connection. */
export type Address = { readonly address: string; readonly port: number };

/** A client that was accepted and that nobody reads yet. */
export type Accepted = {
  /**
   * What was read of it before; absent = nothing. Its stream has it, while whoever takes its channel, or hands it over, takes
   * this first and begins with it.
   */
  readonly received?: Uint8Array;
  /** Gives its descriptor to another thread. @returns the number, which that thread owns. Absent if the stack cannot. */
  readonly handOver?: (() => number) | undefined;
  /** Read from the kernel on accept, because it forgets a client that leaves; '' and 0 if it has left already. */
  readonly remote: Address;
  readonly local: () => Address;
  /** To be called once; from then on only the channel is used. */
  readonly channel: () => Channel;
  /** The same client as a paused stream, instead of as a channel. */
  readonly stream: (settings: SocketSettings) => Socket;
  /** Has the kernel find out whether the client is still there. */
  readonly keepAlive: (settings: SocketSettings) => void;
  /** Whether the client has reset the connection, or is known to be gone; one that only ended its side is not. */
  readonly isGone: () => boolean;
  /** Sends RST. */
  readonly reset: () => void;
};

/** Where to connect to. */
export type Target = Address & {
  /** Source address, whose port may be 0; undefined = the system's choice. */
  readonly from: Address | undefined;
  /** The network interface to leave by; undefined = the system's choice. */
  readonly device: string | undefined;
  /** Whether to use Multipath TCP, which falls back to TCP with a peer that has none (RFC 8684, 3.7); TCP only. */
  readonly mptcp?: boolean;
  /** Called with the descriptor before it connects, if the stack has descriptors. */
  readonly onOpened?: (fd: number) => void;
};

/** A bound socket, as Node.js passes it to a child process. */
export type BoundHandle = {
  readonly fd: number;
  readonly close: () => void;
  /** Further sockets of the same UDP port. */
  readonly others?: readonly BoundHandle[];
};

/** What a stack listens on, and who receives its clients. */
export type ListenOptions = {
  /** An IP address. */
  readonly address: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly ipv6Only: boolean;
  /** The network interface whose clients are accepted; undefined = every one. */
  readonly device: string | undefined;
  /** Whether clients may use Multipath TCP; those of plain TCP are accepted, too. */
  readonly mptcp?: boolean;
  /** A handle of Node.js that is bound to the address already, owned by the stack; absent = to be bound. */
  readonly handle?: BoundHandle;
  /** What most clients are going to get, so that a stack may set it for all of them at once. */
  readonly settings?: SocketSettings;
  /** Receives each client, and owns it from then on. */
  readonly onAccepted: (client: Accepted) => void;
  readonly onAcceptError: (error: Error) => void;
};

/** A listening socket. */
export type ListeningSocket = {
  /** The port that it is bound to, never 0. */
  readonly port: number;
  /** Whether `pause` makes clients wait in the kernel; if not, it does nothing. */
  readonly canPause: boolean;
  readonly pause: () => void;
  readonly resume: () => void;
  /** How many clients wait in the kernel; closing the socket resets them. */
  readonly waiting: () => Promise<number>;
  /** Frees the port, in this turn of the event loop. */
  readonly close: () => void;
};

/** Grants the descriptors that a stack uses beside those of its connections. */
export type DescriptorAllowance = {
  readonly hasRoom: (count: number) => boolean;
  readonly take: (count: number) => void;
  readonly release: (count: number) => void;
};

/** How the relay does TCP. */
export type TcpStack = {
  /**
   * Listens. Sets IPV6_V6ONLY explicitly, on or off, and never SO_REUSEPORT.
   *
   * @throws the kernel's error, for example EADDRINUSE.
   */
  readonly listen: (options: ListenOptions) => Promise<ListeningSocket>;
  /**
   * Connects to an IP address.
   *
   * @param onConnected  called once, later, with the error if it failed; never after `close`.
   */
  readonly connect: (target: Target, onConnected: (error: Error | undefined) => void) => Channel;
  /** Why it opens no sockets of Multipath TCP; undefined if it does. */
  readonly mptcpFault: () => MptcpFault | undefined;
  /** A client of another thread, which has handed the descriptor `fd` over; absent if the stack cannot. */
  readonly adopt?: (fd: number, remote: Address) => Accepted;
  /**
   * Counts there, from now on, the descriptors that it uses beside those of connections, and does without if there is no
   * room. @param threads  how many threads share what the system grants a user.
   */
  readonly countDescriptors: (allowance: DescriptorAllowance, threads: number) => void;
};
