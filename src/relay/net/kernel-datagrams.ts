import { asError } from '../../lib/errors.ts';
import { isUnspecified, parseIpAddress } from '../../lib/ip-address.ts';
import { constants } from '../kernel/constants.ts';
import { DatagramPeer, PeerMap, type PeerWords } from '../kernel/datagram-peer.ts';
import { anySegmentBytes, DatagramSender, type DatagramOutlet } from '../kernel/datagram-sender.ts';
import { systemError } from '../kernel/errno.ts';
import { KernelSocket } from '../kernel/kernel-socket.ts';
import type { Poller, Watcher } from '../kernel/poller.ts';
import { ReceivedDatagrams, type DatagramSink } from '../kernel/received-datagrams.ts';
import {
  bindToDevice,
  receiveMerged,
  receiveWithLocalAddress,
  setBufferBytes,
  setDscp,
  setIpv6Only,
} from '../kernel/socket-options.ts';
import type { Address, Target } from './channel.ts';
import {
  receiveBufferBytes,
  type DatagramClient,
  type DatagramSession,
  type UdpChannel,
  type UdpChannelListeners,
  type UdpListeningSocket,
  type UdpListenOptions,
  type UdpStack,
} from './datagrams.ts';
import { sharedPoller } from './shared-poller.ts';

const { EPOLLIN, EAGAIN, EINTR } = constants;
/** Buffers of a socket to a remote: a burst of some hundred datagrams; each is capped by the system. */
const channelBufferBytes = 1024 * 1024;

/** What all sockets of a thread share. */
type Shared = {
  readonly poller: Poller;
  readonly received: ReceivedDatagrams;
  readonly sender: DatagramSender;
};

let shared: Shared | undefined;

/** Made with the first socket, since it takes memory. */
function sharedMemory(): Shared {
  if (shared === undefined) {
    const received = new ReceivedDatagrams();
    shared = { poller: sharedPoller(), received, sender: new DatagramSender(received.data) };
  }
  return shared;
}

/**
 * UDP on system calls.
 *
 * A socket is registered level-triggered and gives up to 64 datagrams a turn, so that none holds up the others. They are
 * sent on from where they were received, before the next socket has its turn.
 *
 * @throws KernelUnavailableError if this process cannot make system calls.
 */
export function kernelDatagrams(): UdpStack {
  const poller = sharedPoller();
  return {
    listen: (options) => Promise.resolve(new KernelListener(sharedMemory(), options)),
    connect: (target, dscp, listeners) => new KernelUdpChannel(sharedMemory(), { target, dscp, listeners }),
    answersFromAsked: true,
    lost: () => shared?.sender.lost ?? 0,
    needsTick: () => {
      poller.needsTick();
    },
  };
}

class KernelListener implements UdpListeningSocket, Watcher, DatagramOutlet {
  readonly descriptor: KernelSocket;
  readonly port: number;
  readonly isIpv6Only: boolean;
  readonly bound: Address;
  maxSegmentBytes = anySegmentBytes;
  readonly #shared: Shared;
  readonly #options: UdpListenOptions;
  readonly #clients = new PeerMap<KernelClient>();
  #dscp = 0;
  #isClosed = false;

  /** @throws the system's error, e.g. EADDRINUSE. */
  constructor(memory: Shared, options: UdpListenOptions) {
    this.#shared = memory;
    this.#options = options;
    this.isIpv6Only = options.ipv6Only;
    this.descriptor = listening(options);
    this.port = this.descriptor.localAddress().port;
    this.bound = { address: options.address, port: this.port };
    memory.poller.add(this.descriptor, EPOLLIN, this);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#shared.sender.flushOf(this);
    this.#shared.poller.remove(this.descriptor); // another process may have the socket, too
    this.descriptor.close();
  }

  stopReceiving(): boolean {
    this.#shared.poller.change(this.descriptor, 0);
    return true;
  }

  onEvents(): void {
    const { received, sender } = this.#shared;
    const count = received.receiveWithPeers(this.descriptor); // an error concerns no client: the next turn goes on
    sender.hold();
    for (let index = 0; index < count && !this.#isClosed; index += 1) {
      const at = received.wordsAt(index);
      const client = this.#clients.find(received.words, at) ?? this.#newClient(received.words, at);
      if (client !== undefined) received.deliver(index, client);
    }
    sender.release();
  }

  /** What is sent to a client is lost if that is not possible: its session has an error only of its remote. */
  onSendError(): void {
    // nothing to do
  }

  /** Sends a client a datagram. */
  reply(client: KernelClient, datagram: Uint8Array): void {
    if (!this.#isClosed) this.#shared.sender.add(this, datagram, client);
  }

  forget(client: KernelClient): void {
    this.#clients.delete(client);
  }

  #newClient(words: PeerWords, at: number): KernelClient | undefined {
    const client = new KernelClient(this, words, at);
    if (client.port === 0) return undefined; // cannot be answered
    this.#shared.poller.needsTick();
    client.session = this.#options.onClient(client);
    if (client.session === undefined) return undefined;
    this.#clients.add(client);
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
  session: DatagramSession | undefined;
  readonly #listener: KernelListener;

  constructor(listener: KernelListener, words: PeerWords, at: number) {
    super(words, at);
    this.#listener = listener;
    ({ address: this.address, port: this.port } = this.where);
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

/** A bound socket. @throws the system's error. */
function listening({ address, port, ipv6Only, device, handle }: UdpListenOptions): KernelSocket {
  const isBound = handle !== undefined;
  const socket = isBound
    ? KernelSocket.duplicate(handle.fd)
    : KernelSocket.open(address, { type: 'datagram' });
  try {
    handle?.close();
    if (device !== undefined && !isBound) bindToDevice(socket, device);
    if (address.includes(':') && !isBound) setIpv6Only(socket, ipv6Only);
    if (isWildcard(address)) receiveWithLocalAddress(socket, address.includes(':'));
    setBufferBytes(socket, receiveBufferBytes);
    receiveMerged(socket);
    if (!isBound) socket.bind({ address, port });
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

function isWildcard(address: string): boolean {
  const ip = parseIpAddress(address);
  return ip !== undefined && isUnspecified(ip);
}

type ChannelRequest = {
  readonly target: Target;
  readonly dscp: number;
  readonly listeners: UdpChannelListeners;
};

class KernelUdpChannel implements UdpChannel, Watcher, DatagramOutlet, DatagramSink {
  /** Undefined if it could not be connected, and once it is closed. */
  descriptor: KernelSocket | undefined;
  maxSegmentBytes = anySegmentBytes;
  readonly #shared: Shared;
  readonly #listeners: UdpChannelListeners;
  #isClosed = false;

  constructor(memory: Shared, { target, dscp, listeners }: ChannelRequest) {
    this.#shared = memory;
    this.#listeners = listeners;
    try {
      this.descriptor = connected(target, dscp);
      memory.poller.add(this.descriptor, EPOLLIN, this);
      this.#later(listeners.onConnected);
    } catch (error) {
      this.descriptor?.close();
      this.descriptor = undefined;
      this.#later(() => {
        listeners.onError(asError(error));
      });
    }
  }

  send(datagram: Uint8Array, header?: Uint8Array): void {
    if (!this.#isClosed && this.descriptor !== undefined)
      this.#shared.sender.add(this, datagram, undefined, header);
  }

  local(): Address {
    return this.descriptor?.localAddress() ?? { address: '', port: 0 };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true; // first, since what is sent now may fail
    const { descriptor } = this;
    if (descriptor === undefined) return;
    this.#shared.sender.flushOf(this);
    this.#shared.poller.forget(descriptor);
    descriptor.close();
    this.descriptor = undefined;
  }

  onEvents(): void {
    const { received, sender } = this.#shared;
    if (this.descriptor === undefined) return;
    const count = received.receive(this.descriptor);
    if (count < 0) {
      if (count !== -EAGAIN && count !== -EINTR) this.#fail('recvmmsg', count);
      return;
    }
    sender.hold();
    for (let index = 0; index < count; index += 1) received.deliver(index, this);
    sender.release();
  }

  take(datagram: Uint8Array): void {
    if (!this.#isClosed) this.#listeners.onDatagram(datagram);
  }

  onSendError(number: number): void {
    this.#fail('sendmmsg', number);
  }

  #fail(call: string, number: number): void {
    if (this.#isClosed) return;
    this.#shared.poller.needsTick();
    this.#listeners.onError(systemError(call, number));
  }

  /** In this turn of the event loop: the client's first datagram waits for it. */
  #later(report: () => void): void {
    queueMicrotask(() => {
      if (!this.#isClosed) report();
    });
    this.#shared.poller.needsTick();
  }
}

/** A connected socket. @throws the system's error, e.g. EADDRNOTAVAIL. */
function connected({ address, port, from, device }: Target, dscp: number): KernelSocket {
  const socket = KernelSocket.open(address, { type: 'datagram' });
  try {
    if (device !== undefined) bindToDevice(socket, device);
    if (from !== undefined) socket.bind(from);
    setDscp(socket, dscp);
    setBufferBytes(socket, channelBufferBytes);
    receiveMerged(socket);
    const status = socket.connect({ address, port });
    if (status !== 0) throw systemError('connect', status, { address, port });
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
