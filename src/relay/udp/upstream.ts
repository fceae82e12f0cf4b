import { RealmError } from '../../lib/errors.ts';
import type { OwnSocket, OwnSockets, RelayPath } from '../limits/own-sockets.ts';
import type { Target } from '../net/channel.ts';
import type { DatagramClient, Flow, FlowFigures, UdpChannel, UdpStack } from '../net/datagrams.ts';
import type { Remote } from '../upstream/remote.ts';

/** A remote did not answer a client, and another one did. */
export class SilentRemoteError extends RealmError {
  readonly code = 'REALM_REMOTE_SILENT';

  constructor() {
    super('no answer by UDP, while another remote answered the same client');
  }
}

/** The PROXY header of an association. */
export type DatagramHeader = {
  readonly bytes: Uint8Array;
  /** Before every datagram; otherwise before the first that an address gets. */
  readonly isForEach: boolean;
};

/** Offers a flow to the thread that receives the client's datagrams: see `DatagramClient.carry`. */
export type Carry = NonNullable<DatagramClient['carry']>;

/** When a flow comes back, see `FlowRequest`, and who is informed. */
export type FlowTerms = {
  readonly silentMs: number;
  readonly notBeforeMs: number;
  readonly onReturned: (figures: FlowFigures) => void;
};

/** How an `Upstream` sends. */
export type UpstreamSettings = {
  /** What it puts before datagrams; undefined = nothing. */
  readonly header: DatagramHeader | undefined;
  readonly udp: UdpStack;
  /** Code point of what it sends, 0 to 63. */
  readonly dscp: number;
  /** Knows its socket. */
  readonly ownSockets: OwnSockets;
  /** The listening ports that the client came through. */
  readonly path: RelayPath;
};

/** What an `Upstream` works with, and what it reports. */
export type UpstreamContext = UpstreamSettings & {
  readonly onOpen: (upstream: Upstream) => void;
  readonly onAnswer: (upstream: Upstream, datagram: Uint8Array) => void;
  readonly onError: (upstream: Upstream, error: Error) => void;
};

/**
 * A remote that an association sends to, at one of its addresses. The socket, and with it the source port, stays for as
 * long as the address does, whatever errors the kernel reports. Counts as a connection of the remote, which was acquired,
 * until `close`.
 */
export class Upstream {
  readonly remote: Remote;
  /** Whether it has answered at this address, if only by an empty datagram. */
  isAnswered = false;
  /** Whether the latest that is known of it is an error. */
  isFailed = false;
  /** Whether it may send. */
  isOpen = false;
  readonly #targets: readonly Target[];
  readonly #context: UpstreamContext;
  #index = 0;
  #channel: UdpChannel;
  /** The same socket, as a client of this relay if the remote leads back. */
  readonly #own: OwnSocket = {
    local: () => this.#channel.local(),
  };
  /** When the first datagram was sent that has no answer. */
  #unansweredMs: number | undefined;
  #isHeaderDue = true;
  /** What was offered to another thread, and which of its bytes the remote has counted. */
  #flow: Flow | undefined;
  #countedFromClient = 0;
  #countedFromUpstream = 0;

  /** @param targets  the addresses to try, at least one. */
  constructor(remote: Remote, targets: readonly Target[], context: UpstreamContext) {
    this.remote = remote;
    this.#targets = targets;
    this.#context = context;
    this.#channel = this.#open();
  }

  /** The IP address that it sends to. */
  get address(): string {
    return this.#target.address;
  }

  /** For how long what was sent has no answer; 0 if there is nothing without. */
  silentMs(nowMs: number): number {
    return this.#unansweredMs === undefined ? 0 : nowMs - this.#unansweredMs;
  }

  /** Sends the client's datagram; only after `onOpen`. */
  send(datagram: Uint8Array, nowMs: number): void {
    this.#unansweredMs ??= nowMs;
    this.remote.transferred(datagram.length, 0);
    this.#channel.send(datagram, this.#takeHeader());
  }

  /** Forgets that it was silent. */
  startAgain(): void {
    this.#unansweredMs = undefined;
  }

  /** Offers what goes to it and comes from it to another thread. @returns undefined if that is not possible now. */
  carry(carry: Carry, { onReturned, ...terms }: FlowTerms): FlowFigures | undefined {
    const { header } = this.#context;
    const isHeaderForEach = header?.isForEach === true;
    const isReady =
      this.isOpen && !this.isFailed && (header === undefined || isHeaderForEach || !this.#isHeaderDue);
    if (!isReady || this.#flow !== undefined) return undefined;
    const flow = carry({
      ...terms,
      channel: this.#channel,
      header: isHeaderForEach ? header.bytes : undefined,
      isAnswered: this.isAnswered,
      unansweredMs: () => this.#unansweredMs,
      onReturned: () => {
        this.countTraffic();
        if (flow !== undefined && flow.figures.lastMs > 0) this.#unansweredMs = flow.figures.unansweredMs;
        this.#flow = undefined;
        this.#countedFromClient = this.#countedFromUpstream = 0;
        if (flow !== undefined) onReturned(flow.figures);
      },
    });
    this.#flow = flow;
    return flow?.figures;
  }

  /** Has what another thread carries come back soon. */
  endFlow(): void {
    this.#flow?.end();
  }

  /** Counts what another thread has carried so far. */
  countTraffic(): void {
    if (this.#flow === undefined) return;
    const { fromClientBytes, fromUpstreamBytes } = this.#flow.figures;
    this.remote.transferred(
      fromClientBytes - this.#countedFromClient,
      fromUpstreamBytes - this.#countedFromUpstream,
    );
    this.#countedFromClient = fromClientBytes;
    this.#countedFromUpstream = fromUpstreamBytes;
  }

  /** Opens a socket to the next address. @returns false if there is none. */
  advance(): boolean {
    if (this.#index + 1 >= this.#targets.length) return false;
    this.#index += 1;
    this.#closeChannel();
    this.isOpen = false;
    this.isAnswered = false;
    this.#isHeaderDue = true;
    this.#unansweredMs = undefined;
    this.#channel = this.#open();
    return true;
  }

  /** Counts a failure of the remote, until it answers. */
  fail(error: Error): void {
    if (this.isFailed) return;
    this.isFailed = true;
    this.remote.fail(error);
  }

  /** To be called once; nothing is reported afterwards. */
  close(): void {
    this.remote.release();
    this.#closeChannel();
  }

  get #target(): Target {
    return this.#targets[this.#index] as Target; // there is at least one
  }

  /** Its listeners are called only until it is closed, and it is replaced only then. */
  #open(): UdpChannel {
    const { udp, dscp, ownSockets, path } = this.#context;
    const channel = udp.connect(this.#target, dscp, {
      onConnected: () => {
        this.isOpen = true;
        this.#context.onOpen(this);
      },
      onDatagram: (datagram) => {
        this.#onAnswer(datagram);
      },
      onError: (error) => {
        this.#isHeaderDue = true; // what listens there next has not seen the first datagram
        this.#context.onError(this, error);
      },
    });
    ownSockets.opened(this.#own, path, this.#target);
    return channel;
  }

  #closeChannel(): void {
    this.endFlow();
    this.#context.ownSockets.closed(this.#own);
    this.#channel.close();
  }

  #onAnswer(datagram: Uint8Array): void {
    this.remote.transferred(0, datagram.length);
    this.#unansweredMs = undefined;
    if (!this.isAnswered || this.isFailed) {
      this.#context.udp.needsTick();
      this.isAnswered = true;
      this.isFailed = false;
      this.remote.addresses.restore(this.address);
      for (const { address } of this.#targets.slice(0, this.#index)) this.remote.addresses.defer(address);
      this.remote.succeed();
    }
    this.#context.onAnswer(this, datagram);
  }

  /** What the next datagram begins with. */
  #takeHeader(): Uint8Array | undefined {
    const { header } = this.#context;
    if (header === undefined || !(this.#isHeaderDue || header.isForEach)) return undefined;
    this.#isHeaderDue = false;
    return header.bytes;
  }
}

/** Whether `upstream` may get datagrams while another remote is looked up. */
export function isInUse({ isOpen, isAnswered, isFailed }: Upstream): boolean {
  return isOpen && (isAnswered || !isFailed);
}
