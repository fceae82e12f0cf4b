import { isUnspecified, parseIpAddress } from '../../lib/ip-address.ts';
import { spreadClients } from '../kernel/client-spread.ts';
import { KernelSocket } from '../kernel/kernel-socket.ts';
import {
  bindToDevice,
  receiveMerged,
  receiveWithLocalAddress,
  setBufferBytes,
  setIpv6Only,
  setReusePort,
} from '../kernel/socket-options.ts';
import type { BoundHandle } from './channel.ts';
import {
  receiveBufferBytes,
  type UdpListeningSocket,
  type UdpListenOptions,
  type UdpStack,
} from './datagrams.ts';
import { KernelUdpChannel } from './kernel-udp-channel.ts';
import { KernelUdpListener } from './kernel-udp-listener.ts';
import { sharedPoller } from './shared-poller.ts';
import { udpMemory, unsentDatagrams } from './udp-memory.ts';
import type { UdpThread } from './udp-threads.ts';

/**
 * UDP on system calls.
 *
 * A socket is registered level-triggered and gives up to 64 datagrams a turn, so that none holds up the others. They are
 * sent on from where they were received, before the next socket has its turn.
 *
 * @param threads  other threads, each of which receives what a part of the clients send to each port.
 * @throws KernelUnavailableError if this process cannot make system calls.
 */
export function kernelDatagrams(threads: readonly UdpThread[] = []): UdpStack {
  const poller = sharedPoller();
  const open = new Set<KernelUdpListener>();
  let droppedBefore = 0;
  return {
    listen: (options) => {
      const listeners = newListeners(options, threads);
      for (const listener of listeners) open.add(listener);
      const onClosing = (listener: KernelUdpListener): void => {
        if (open.delete(listener)) droppedBefore += listener.dropped();
      };
      return Promise.resolve(together(listeners, onClosing));
    },
    connect: (target, dscp, listeners) => new KernelUdpChannel(udpMemory(), { target, dscp, listeners }),
    answersFromAsked: true,
    lost: () => {
      const dropped = [...open].reduce((sum, listener) => sum + listener.dropped(), droppedBefore);
      return threads.reduce((sum, thread) => sum + thread.lost(), unsentDatagrams() + dropped);
    },
    needsTick: () => {
      poller.needsTick();
    },
  };
}

/** The listeners of one port: of this thread, and of each of `threads`. @throws the system's error. */
function newListeners(
  options: UdpListenOptions,
  threads: readonly UdpThread[],
): readonly KernelUdpListener[] {
  const sockets = boundSockets(options, threads.length + 1);
  // There are more sockets than threads if the predecessor had more
  return sockets.map((socket, index) => {
    const thread = index % (threads.length + 1);
    return new KernelUdpListener(udpMemory(), options, socket, threads[thread - 1]);
  });
}

/** All of `listeners` as one socket. @param onClosing  called with each before it is closed. */
function together(
  listeners: readonly KernelUdpListener[],
  onClosing: (listener: KernelUdpListener) => void,
): UdpListeningSocket {
  const [first] = listeners as readonly [KernelUdpListener];
  return {
    port: first.port,
    isIpv6Only: first.isIpv6Only,
    sockets: listeners.length,
    stopReceiving: () => {
      for (const listener of listeners) listener.stopReceiving();
      return true;
    },
    close: async () => {
      listeners.forEach(onClosing);
      await Promise.all(listeners.map((listener) => listener.close()));
    },
  };
}

/**
 * Sockets that are bound to one port, at least `count`, or one if the system cannot keep a client on one of several.
 *
 * The first one is bound without SO_REUSEPORT, so that a port that is in use is refused. It has it only afterwards, for the
 * others, and what another program binds then gets no datagrams: see `spreadClients`.
 *
 * @throws the system's error.
 */
function boundSockets(options: UdpListenOptions, count: number): readonly KernelSocket[] {
  const { handle } = options;
  const handles = handle === undefined ? [] : [handle, ...(handle.others ?? [])];
  const sockets: KernelSocket[] = [];
  try {
    for (const each of handles) sockets.push(inherited(options, each));
    if (handles.length === 0) sockets.push(bound(options, options.port, false));
    addSockets(options, sockets, count);
    return sockets;
  } catch (error) {
    for (const socket of sockets) socket.close();
    throw error;
  }
}

/** Adds sockets of the port of the first one until there are `count`, if their clients can be spread. @throws the system's error. */
function addSockets(options: UdpListenOptions, sockets: KernelSocket[], count: number): void {
  const [first] = sockets;
  if (first === undefined) return;
  if (sockets.length < count) setReusePort(first, true);
  const { port } = first.localAddress();
  while (sockets.length < count) sockets.push(bound(options, port, true));
  if (sockets.length === 1 || spreadClients(first, sockets.length)) return;
  for (const socket of sockets.splice(1)) socket.close();
  setReusePort(first, false);
}

/** A socket that a predecessor has bound. @throws the system's error. */
function inherited(options: UdpListenOptions, handle: BoundHandle): KernelSocket {
  const socket = KernelSocket.duplicate(handle.fd);
  handle.close();
  return prepared(socket, options);
}

/** A bound socket. @throws the system's error. */
function bound(options: UdpListenOptions, port: number, isShared: boolean): KernelSocket {
  const { address, ipv6Only, device } = options;
  const socket = KernelSocket.open(address, { type: 'datagram' });
  try {
    if (device !== undefined) bindToDevice(socket, device);
    if (address.includes(':')) setIpv6Only(socket, ipv6Only);
    if (isShared) setReusePort(socket, true);
    socket.bind({ address, port });
    return prepared(socket, options);
  } catch (error) {
    if (socket.isOpen) socket.close();
    throw error;
  }
}

/** @throws the system's error, after it has closed the socket. */
function prepared(socket: KernelSocket, { address }: UdpListenOptions): KernelSocket {
  try {
    if (isWildcard(address)) receiveWithLocalAddress(socket, address.includes(':'));
    setBufferBytes(socket, receiveBufferBytes);
    receiveMerged(socket);
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
