import { constants } from '../kernel/constants.ts';
import { DatagramPeer, peerLayout, PeerMap, type PeerWords } from '../kernel/datagram-peer.ts';
import { anySegmentBytes, type DatagramOutlet } from '../kernel/datagram-sender.ts';
import type { KernelSocket } from '../kernel/kernel-socket.ts';
import type { Watcher } from '../kernel/poller.ts';
import type { DatagramSink } from '../kernel/received-datagrams.ts';
import { setDscp } from '../kernel/socket-options.ts';
import type { Address } from './channel.ts';
import type { DatagramClient, DatagramSession, Flow, FlowRequest, UdpListenOptions } from './datagrams.ts';
import { KernelUdpChannel } from './kernel-udp-channel.ts';
import type { UdpMemory } from './udp-memory.ts';
import type { DatagramBatch, ThreadListeners, ThreadSocket, UdpThread } from './udp-threads.ts';

const { EPOLLIN } = constants;

/** A listening socket on system calls, and its clients. Another thread may receive from it. */
export class KernelUdpListener implements Watcher, DatagramOutlet, ThreadListeners {
  readonly descriptor: KernelSocket;
  readonly port: number;
  readonly isIpv6Only: boolean;
  readonly bound: Address;
  maxSegmentBytes = anySegmentBytes;
  readonly #memory: UdpMemory;
  readonly #options: UdpListenOptions;
  readonly #clients = new PeerMap<KernelClient>();
  readonly #thread: ThreadSocket | undefined;
  #dscp = 0;
  /** Whether this thread receives. */
  #isWatched = false;
  #isStopped = false;
  #isClosed = false;

  /** @param socket  is bound. @param thread  receives from it; undefined = this thread does. */
  constructor(memory: UdpMemory, options: UdpListenOptions, socket: KernelSocket, thread?: UdpThread) {
    this.#memory = memory;
    this.#options = options;
    this.isIpv6Only = options.ipv6Only;
    this.descriptor = socket;
    this.port = socket.localAddress().port;
    this.bound = { address: options.address, port: this.port };
    if (thread === undefined) this.onNoThread();
    this.#thread = thread?.receive(socket.fd, this);
  }

  /** Frees its part of the port, at the latest when the promise resolves. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#memory.sender.flushOf(this);
    this.onThread();
    if (this.#thread !== undefined) await this.#thread.leave();
    this.descriptor.close();
  }

  /** Leaves further datagrams to another process that has the socket, and still sends. */
  stopReceiving(): void {
    this.#isStopped = true;
    this.onThread();
    this.#thread?.stopReceiving();
  }

  /** Whether another thread receives from it. */
  get hasThread(): boolean {
    return this.#thread !== undefined;
  }

  /** Datagrams that the kernel has dropped, since its buffer was full. */
  dropped(): number {
    return this.descriptor.isOpen ? this.descriptor.droppedDatagrams() : 0;
  }

  onNoThread(): void {
    if (this.#isWatched || this.#isStopped || this.#isClosed) return;
    this.#isWatched = true;
    this.#memory.poller.add(this.descriptor, EPOLLIN, this);
  }

  onThread(): void {
    if (!this.#isWatched) return;
    this.#isWatched = false;
    this.#memory.poller.remove(this.descriptor); // another process may have the socket, too
  }

  onEvents(): void {
    const { received, sender } = this.#memory;
    const count = received.receiveWithPeers(this.descriptor); // an error concerns no client: the next turn goes on
    sender.hold();
    for (let index = 0; index < count && !this.#isClosed; index += 1) {
      const client = this.#clientAt(received.words, received.wordsAt(index));
      if (client !== undefined) received.deliver(index, client);
    }
    sender.release();
  }

  onBatch({ peers, data, lengths }: DatagramBatch): void {
    const { sender } = this.#memory;
    sender.hold();
    let from = 0;
    for (const [index, length] of lengths.entries()) {
      if (this.#isClosed) break;
      this.#clientAt(peers, index * peerLayout.words)?.take(data.subarray(from, from + length));
      from += length;
    }
    sender.release();
  }

  /** What is sent to a client is lost if that is not possible: its session has an error only of its remote. */
  onSendError(): void {
    // nothing to do
  }

  /** Sends a client a datagram. */
  reply(client: KernelClient, datagram: Uint8Array): void {
    if (!this.#isClosed) this.#memory.sender.add(this, datagram, client);
  }

  forget(client: KernelClient): void {
    if (!client.isListed) return;
    client.isListed = false;
    this.#clients.delete(client);
    this.#thread?.countClients(-1);
  }

  /** See `DatagramClient.carry`. */
  carry(client: KernelClient, request: FlowRequest): Flow | undefined {
    const { channel } = request;
    if (this.#thread === undefined || !(channel instanceof KernelUdpChannel)) return undefined;
    const [lend, takeBack] = [
      () => channel.lend(),
      (error: number) => {
        channel.takeBack(error);
      },
    ];
    return this.#thread.offer(request, { client: client.words, lend, takeBack });
  }

  #clientAt(words: PeerWords, at: number): KernelClient | undefined {
    return this.#clients.find(words, at) ?? this.#newClient(words, at);
  }

  #newClient(words: PeerWords, at: number): KernelClient | undefined {
    const client = new KernelClient(this, words, at);
    if (client.port === 0) return undefined; // cannot be answered
    this.#memory.poller.needsTick();
    client.session = this.#options.onClient(client);
    if (client.session === undefined) return undefined;
    this.#clients.add(client);
    client.isListed = true;
    this.#thread?.countClients(1);
    this.#mark();
    return client;
  }

  /** The endpoint that the socket serves may have another code point since the last client. */
  #mark(): void {
    const dscp = this.#options.dscp();
    if (dscp !== this.#dscp) setDscp(this.descriptor, dscp);
    this.#dscp = dscp;
  }
}

class KernelClient extends DatagramPeer implements DatagramClient, DatagramSink {
  readonly address: string;
  readonly port: number;
  readonly carry?: (request: FlowRequest) => Flow | undefined;
  session: DatagramSession | undefined;
  /** Whether its listener knows it. */
  isListed = false;
  readonly #listener: KernelUdpListener;

  constructor(listener: KernelUdpListener, words: PeerWords, at: number) {
    super(words, at);
    this.#listener = listener;
    ({ address: this.address, port: this.port } = this.where);
    if (listener.hasThread) this.carry = (request) => listener.carry(this, request);
  }

  get local(): Address {
    const { asked } = this;
    const { bound } = this.#listener;
    return asked === undefined ? bound : { address: asked, port: bound.port };
  }

  take(datagram: Uint8Array): void {
    this.session?.send(datagram);
  }

  reply(datagram: Uint8Array): void {
    this.#listener.reply(this, datagram);
  }

  forget(): void {
    this.session = undefined;
    this.#listener.forget(this);
  }
}
