import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { errorCode } from '../../lib/errors.ts';
import { literalAddress } from '../../lib/literal-address.ts';
import type { Address, Target } from './channel.ts';
import { DeviceError } from './device-error.ts';
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

/** UDP on documented `node:dgram` only, which has no function to mark packets, nor to choose the source of an answer. */
export const socketDatagrams: UdpStack = {
  listen,
  connect: (target, _dscp, listeners) => connect(target, listeners),
  answersFromAsked: false,
  lost: () => 0,
  needsTick: () => undefined,
};

async function listen(options: UdpListenOptions): Promise<UdpListeningSocket> {
  const { address, port, ipv6Only, device, handle } = options;
  if (device !== undefined) throw new DeviceError(device);
  const socket = createSocket({
    type: isIPv6(address) ? 'udp6' : 'udp4',
    ipv6Only,
    recvBufferSize: receiveBufferBytes,
    lookup: literalAddress,
  });
  const isListening = once(socket, 'listening'); // before `bind`, which may emit it at once
  try {
    socket.bind(
      handle === undefined ? { address, port, exclusive: true } : { fd: handle.fd, exclusive: true },
    );
    await isListening;
  } catch (error) {
    socket.close();
    throw error;
  }
  // Node.js switches IPV6_V6ONLY on, but not off
  return new SocketListener(socket, options, ipv6Only || isIpv6OnlySystem());
}

/** Whether IPv6 sockets of this system exclude IPv4 by default: `net.ipv6.bindv6only`. */
function isIpv6OnlySystem(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv6/bindv6only', 'utf8').trim() === '1';
  } catch {
    return false; // not Linux, or no IPv6
  }
}

class SocketListener implements UdpListeningSocket {
  readonly sockets = 1;
  readonly port: number;
  readonly isIpv6Only: boolean;
  readonly #socket: Socket;
  readonly #options: UdpListenOptions;
  readonly #sessions = new Map<string, DatagramSession>();
  #isClosed = false;

  constructor(socket: Socket, options: UdpListenOptions, isIpv6Only: boolean) {
    this.port = socket.address().port;
    this.isIpv6Only = isIpv6Only;
    this.#socket = socket;
    this.#options = options;
    socket.on('message', (datagram, from) => {
      this.#onDatagram(datagram, from);
    });
    socket.on('error', () => undefined); // reported by the session that it concerns
  }

  /** Node.js cannot stop to receive and still send. */
  stopReceiving(): boolean {
    return false;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#socket.close();
    return Promise.resolve();
  }

  #onDatagram(datagram: Buffer, { address, port }: RemoteInfo): void {
    if (port === 0 || this.#isClosed) return; // cannot be answered: Node.js throws for port 0
    const key = `${address} ${String(port)}`;
    const session = this.#sessions.get(key) ?? this.#newSession(key, { address, port });
    session?.send(datagram);
  }

  #newSession(key: string, { address, port }: Address): DatagramSession | undefined {
    const client: DatagramClient = {
      address,
      port,
      local: { address: this.#options.address, port: this.port },
      reply: (datagram) => {
        if (!this.#isClosed) this.#socket.send(datagram, port, address); // without a callback, which would cost a tick
      },
      forget: () => this.#sessions.delete(key),
    };
    const session = this.#options.onClient(client);
    if (session !== undefined) this.#sessions.set(key, session);
    return session;
  }
}

const unknown: Address = { address: '', port: 0 };

function connect({ address, port, from, device }: Target, listeners: UdpChannelListeners): UdpChannel {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', lookup: literalAddress });
  let state: 'connecting' | 'open' | 'closed' = 'connecting';
  const fail = (error: NodeJS.ErrnoException): void => {
    if (state !== 'closed') listeners.onError(error);
  };
  socket.on('error', fail);
  socket.on('message', (datagram) => {
    if (state !== 'closed') listeners.onDatagram(datagram);
  });
  if (device !== undefined) setImmediate(fail, new DeviceError(device));
  else {
    if (from !== undefined) socket.bind({ ...from, exclusive: true });
    // On failure Node passes the error to the callback, although its types have no parameter there.
    socket.connect(port, address, ((error?: Error) => {
      if (state === 'closed') return;
      if (error !== undefined) listeners.onError(error);
      else {
        state = 'open';
        listeners.onConnected();
      }
    }) as () => void);
  }
  return {
    send: (datagram, header) => {
      socket.send(header === undefined ? datagram : [header, datagram], (error) => {
        if (error !== null && errorCode(error) !== 'EMSGSIZE') fail(error);
      });
    },
    local: () => (state === 'open' ? socket.address() : unknown),
    close: () => {
      state = 'closed';
      socket.close();
    },
  };
}
