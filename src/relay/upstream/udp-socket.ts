import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { literalAddress } from '../dns/lookup.ts';
import type { Target } from '../net/channel.ts';

/** What happens to a connected UDP socket. */
export type UdpSocketListeners = {
  /** Called once, later: from then on it may send. */
  readonly onConnected: () => void;
  readonly onDatagram: (datagram: Uint8Array) => void;
  /** It could not be connected, or the kernel reports an error of what it sent, e.g. an ICMP error as ECONNREFUSED. */
  readonly onError: (error: Error) => void;
};

/** A UDP socket that is connected to `target`, so that the kernel drops what others send. `close` it in any case. */
export function connectUdp({ address, port, from }: Target, listeners: UdpSocketListeners): Socket {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', lookup: literalAddress });
  socket.on('error', listeners.onError);
  socket.on('message', listeners.onDatagram);
  if (from !== undefined) socket.bind({ ...from, exclusive: true });
  // On failure Node passes the error to the callback, although its types have no parameter there.
  socket.connect(port, address, ((error?: Error) => {
    if (error === undefined) listeners.onConnected();
    else listeners.onError(error);
  }) as () => void);
  return socket;
}
