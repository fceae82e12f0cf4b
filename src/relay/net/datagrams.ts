/**
 * UDP as the other rooms of the relay see it.
 *
 * A `UdpStack` listens, and connects to remotes by a `UdpChannel` each. A `DatagramClient` is one client of a listening
 * socket: its address and port, and the address of this host that it asked if the engine knows that.
 *
 * There are two stacks behind this contract: `kernel-datagrams.ts` on system calls, which receives and sends several
 * datagrams with one call, and `socket-datagrams.ts` on `node:dgram`, which runs everywhere and is the reference.
 *
 * Guarantee: a datagram is passed on whole or not at all, in the order in which it came; no event follows `close`.
 */
import type { Address, BoundHandle, Target } from './channel.ts';

/** What happens to a connected UDP socket. */
export type UdpChannelListeners = {
  /** Called once, later: from then on it may send. */
  readonly onConnected: () => void;
  /** @param datagram  in memory that may be used again afterwards. */
  readonly onDatagram: (datagram: Uint8Array) => void;
  /** It could not be connected, or the kernel reports an error of what it sent, e.g. an ICMP error as ECONNREFUSED. */
  readonly onError: (error: NodeJS.ErrnoException) => void;
};

/** A UDP socket that is connected to one address, so that the kernel drops what others send. `close` it in any case. */
export type UdpChannel = {
  /**
   * Sends a datagram. One that is too large for its way is lost without an error.
   *
   * @param datagram  that a listener of the same stack gets, or bytes that do not change any more.
   * @param header  goes before it; undefined = nothing.
   */
  readonly send: (datagram: Uint8Array, header?: Uint8Array) => void;
  /** Its own address; '' and 0 before `onConnected`. */
  readonly local: () => Address;
  readonly close: () => void;
};

/** The session of a client with the relay. */
export type DatagramSession = { readonly send: (datagram: Uint8Array) => void };

/** What was counted of a flow. */
export type FlowFigures = {
  /** When either side sent last, by the clock of the main thread; 0 before. */
  readonly lastMs: number;
  readonly fromClientBytes: number;
  readonly fromUpstreamBytes: number;
  /** When the first datagram was sent that has no answer; undefined if all have. */
  readonly unansweredMs: number | undefined;
};

/** What is carried, and when it comes back. */
export type FlowRequest = {
  /** Leads to the remote. */
  readonly channel: UdpChannel;
  /** Goes before each datagram; undefined = nothing. */
  readonly header: Uint8Array | undefined;
  /** Whether the remote has answered; otherwise its first answer returns the flow. */
  readonly isAnswered: boolean;
  /** A datagram of the client returns the flow if the remote has been silent for so long, but not before `notBeforeMs`. */
  readonly silentMs: number;
  readonly notBeforeMs: number;
  /** Asked when the thread takes over: since when a datagram has no answer. */
  readonly unansweredMs: () => number | undefined;
  /** Called once, when the flow is back here; `figures` do not change any more. */
  readonly onReturned: () => void;
};

/** A flow that was offered to a thread, until `onReturned`. */
export type Flow = {
  readonly figures: FlowFigures;
  /** Has it returned soon. */
  readonly end: () => void;
};

/** A client of a listening socket. */
export type DatagramClient = Address & {
  /** What it has sent to: the address that it asked, if the engine knows it, else what the socket is bound to. */
  readonly local: Address;
  /** Sends it a datagram, from the address that it asked if the engine knows it. Does nothing once the socket is closed. */
  readonly reply: (datagram: Uint8Array) => void;
  /**
   * Offers a flow to the thread that receives the client's datagrams.
   *
   * @returns undefined if that is this thread, or if it has no room for another flow.
   */
  readonly carry?: (request: FlowRequest) => Flow | undefined;
  /** Ends its session: its next datagram is that of a new client. */
  readonly forget: () => void;
};

/** What a stack listens on, and who serves its clients. */
export type UdpListenOptions = {
  /** An IP address. */
  readonly address: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly ipv6Only: boolean;
  /** The network interface whose datagrams are received; undefined = every one. */
  readonly device: string | undefined;
  /** A socket that is bound to the address already, owned by the stack; absent = to be bound. */
  readonly handle?: BoundHandle;
  /** Differentiated services code point of the answers, 0 to 63, asked for with each new client. */
  readonly dscp: () => number;
  /**
   * Called with a client that has no session, as one of its datagrams arrives.
   *
   * @returns the session that gets this datagram and those that follow, until `forget`; undefined = the datagram is dropped.
   */
  readonly onClient: (client: DatagramClient) => DatagramSession | undefined;
};

/** A listening socket. */
export type UdpListeningSocket = {
  /** The port that it is bound to, never 0. */
  readonly port: number;
  /** Whether it receives no IPv4: the engine node has it as the system does. */
  readonly isIpv6Only: boolean;
  /** Leaves further datagrams to another process that has the socket, and still sends. @returns false if that is not possible. */
  readonly stopReceiving: () => boolean;
  /** How many sockets of the system it is: one for each thread that receives. */
  readonly sockets: number;
  /** Frees the port, at the latest when the promise resolves. */
  readonly close: () => Promise<void>;
};

/** How the relay does UDP. */
export type UdpStack = {
  /**
   * Listens. A port that is in use is refused: neither SO_REUSEADDR nor SO_REUSEPORT is set before the first socket is bound,
   * since two programs could then bind one port, and the kernel would silently split the traffic.
   *
   * @throws the kernel's error, for example EADDRINUSE.
   */
  readonly listen: (options: UdpListenOptions) => Promise<UdpListeningSocket>;
  /** Connects to an IP address. @param dscp  code point of what is sent, 0 to 63. */
  readonly connect: (target: Target, dscp: number, listeners: UdpChannelListeners) => UdpChannel;
  /** Whether answers leave from the address that the client asked, on a wildcard address, too. */
  readonly answersFromAsked: boolean;
  /**
   * Datagrams that were lost so far since a socket had no room: one of a remote or of a client to send them, or one that listens
   * to receive them. Always 0 with `node:dgram`, which does not report it.
   */
  readonly lost: () => number;
  /** To be called where something asynchronous is started while a datagram is handled. */
  readonly needsTick: () => void;
};

/** Receive buffer of a listening socket, which the kernel caps at net.core.rmem_max; its default holds three full datagrams. */
export const receiveBufferBytes = 4 * 1024 * 1024;
