import { asError } from '../../lib/errors.ts';
import { constants } from '../kernel/constants.ts';
import { anySegmentBytes, type DatagramOutlet } from '../kernel/datagram-sender.ts';
import { systemError } from '../kernel/errno.ts';
import { KernelSocket } from '../kernel/kernel-socket.ts';
import type { Watcher } from '../kernel/poller.ts';
import type { DatagramSink } from '../kernel/received-datagrams.ts';
import { bindToDevice, receiveMerged, setBufferBytes, setDscp } from '../kernel/socket-options.ts';
import type { Address, Target } from './channel.ts';
import type { UdpChannel, UdpChannelListeners } from './datagrams.ts';
import type { UdpMemory } from './udp-memory.ts';

const { EPOLLIN, EAGAIN, EINTR } = constants;
/** Buffers of a socket to a remote: a burst of some hundred datagrams; each is capped by the system. */
const channelBufferBytes = 1024 * 1024;

/** Where a channel leads, and who listens. */
export type ChannelRequest = {
  readonly target: Target;
  readonly dscp: number;
  readonly listeners: UdpChannelListeners;
};

/** A connected UDP socket on system calls. */
export class KernelUdpChannel implements UdpChannel, Watcher, DatagramOutlet, DatagramSink {
  /** Undefined if it could not be connected, and once it is closed. */
  descriptor: KernelSocket | undefined;
  maxSegmentBytes = anySegmentBytes;
  readonly #memory: UdpMemory;
  readonly #listeners: UdpChannelListeners;
  #isClosed = false;
  /** Whether another thread uses the socket: it must stay open. */
  #isLent = false;

  constructor(memory: UdpMemory, { target, dscp, listeners }: ChannelRequest) {
    this.#memory = memory;
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
      this.#memory.sender.add(this, datagram, undefined, header);
  }

  local(): Address {
    return this.descriptor?.localAddress() ?? { address: '', port: 0 };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true; // first, since what is sent now may fail
    if (this.#isLent || this.descriptor === undefined) return;
    this.#memory.sender.flushOf(this);
    this.#memory.poller.forget(this.descriptor);
    this.#free();
  }

  /** Gives the socket to another thread until `takeBack`. @returns its number; undefined if it is closed. */
  lend(): number | undefined {
    if (this.#isClosed || this.descriptor === undefined) return undefined;
    this.#memory.sender.flushOf(this);
    this.#memory.poller.remove(this.descriptor);
    this.#isLent = true;
    return this.descriptor.fd;
  }

  /** Uses the socket again. @param error  the negative number of the error that it had; 0 if there is none. */
  takeBack(error: number): void {
    if (!this.#isLent || this.descriptor === undefined) return;
    this.#isLent = false;
    if (this.#isClosed) {
      this.#free();
      return;
    }
    this.#memory.poller.add(this.descriptor, EPOLLIN, this);
    if (error !== 0) this.onSendError(error);
  }

  onEvents(): void {
    const { received, sender } = this.#memory;
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
    this.#memory.poller.needsTick();
    this.#listeners.onError(systemError(call, number));
  }

  #free(): void {
    this.descriptor?.close();
    this.descriptor = undefined;
  }

  /** In this turn of the event loop: the client's first datagram waits for it. */
  #later(report: () => void): void {
    queueMicrotask(() => {
      if (!this.#isClosed) report();
    });
    this.#memory.poller.needsTick();
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
