import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import type { IpFamily } from '../../lib/ip-address.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { familiesOf, type Listener } from './listener.ts';
import { literalAddress } from '../dns/lookup.ts';

/** Asked of the kernel, which takes the least of this and net.core.rmem_max: three full datagrams are its default. */
const receiveBufferBytes = 4 * 1024 * 1024;

/** While it drains, an association ends after this silence. */
const drainIdleMs = 2000;

/** What a UDP listener is bound to and whom it serves. */
export type UdpListenerOptions = {
  readonly address: string;
  readonly port: number;
  readonly ipv6Only: boolean;
  readonly log: Logger;
  /** The system's `net.ipv6.bindv6only`, which Node can switch on for a UDP socket, and not off. */
  readonly isIpv6OnlySystem: boolean;
  /**
   * Makes the association of a client that has none.
   *
   * @param reply     sends a datagram to that client.
   * @param onClosed  to be called when the association has ended.
   * @returns undefined where there is no room for it, or it may not have one: the datagram is lost.
   */
  readonly associate: (client: UdpClient, reply: Reply, onClosed: () => void) => UdpSession | undefined;
};

/** What a listener needs of the association of one client. */
export type UdpSession = {
  /** Sends the client's datagram to the remote. */
  readonly send: (datagram: Uint8Array) => void;
  /** From now on it ends after `timeoutMs` of silence. */
  readonly limitIdle: (timeoutMs: number) => void;
  /** Ends it now. */
  readonly close: (end: 'Stopped') => void;
};

/** Where datagrams come from. */
export type UdpClient = { readonly address: string; readonly port: number };

/** Sends one datagram to a client; what fails there touches no other client. */
export type Reply = (datagram: Uint8Array) => void;

/**
 * Listens on UDP, one association a client. Never SO_REUSEADDR nor SO_REUSEPORT: with them two sockets on one
 * port both bind, and the kernel splits the traffic silently.
 *
 * @throws the kernel's error, e.g. EADDRINUSE.
 */
export async function listenUdp(options: UdpListenerOptions): Promise<Listener> {
  const { address, port, ipv6Only, isIpv6OnlySystem, log } = options;
  const socket = createSocket({
    type: isIPv6(address) ? 'udp6' : 'udp4',
    ipv6Only,
    recvBufferSize: receiveBufferBytes,
    lookup: literalAddress,
  });
  if (isIpv6OnlySystem && !ipv6Only && familiesOf(address, ipv6Only).length === 2) {
    log.warn(
      { address, port },
      'IPv4 datagrams will not arrive, since net.ipv6.bindv6only is 1: set it to 0',
    );
  }
  const isListening = once(socket, 'listening'); // before `bind`, which tells it at once
  try {
    socket.bind({ address, port, exclusive: true });
    await isListening;
  } catch (error) {
    socket.close();
    throw error;
  }
  return new UdpListener(socket, options);
}

/** Whether IPv6 sockets of this system leave IPv4 alone unless told otherwise. */
export function isIpv6OnlySystem(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv6/bindv6only', 'utf8').trim() === '1';
  } catch {
    return false; // not Linux, or no IPv6
  }
}

class UdpListener implements Listener {
  readonly address: string;
  readonly port: number;
  readonly families: readonly IpFamily[];
  readonly #socket: Socket;
  readonly #associate: UdpListenerOptions['associate'];
  readonly #associations = new Map<string, UdpSession>();
  #isDraining = false;
  #isClosed = false;

  constructor(socket: Socket, { address, ipv6Only, isIpv6OnlySystem, associate }: UdpListenerOptions) {
    this.address = address;
    this.families = familiesOf(address, ipv6Only).filter((family, _, all) => {
      return family === 'IPv6' || all.length === 1 || !isIpv6OnlySystem;
    });
    this.port = socket.address().port;
    this.#socket = socket;
    this.#associate = associate;
    socket.on('message', (datagram, client) => {
      this.#take(datagram, client);
    });
    socket.on('error', () => undefined); // told by the association that it concerns, if any
  }

  close(): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  drain(): Promise<void> {
    this.#isDraining = true;
    for (const association of this.#associations.values()) association.limitIdle(drainIdleMs);
    this.#closeWhenDrained();
    return Promise.resolve();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const association of [...this.#associations.values()]) association.close('Stopped');
    this.#socket.close();
  }

  #take(datagram: Buffer, { address, port }: RemoteInfo): void {
    if (port === 0) return; // nobody can be answered there, and Node throws at the try
    const key = `${address} ${String(port)}`;
    let association = this.#associations.get(key);
    if (association === undefined) {
      if (this.#isDraining) return;
      association = this.#newAssociation(key, { address, port });
    }
    association?.send(datagram);
  }

  #newAssociation(key: string, client: UdpClient): UdpSession | undefined {
    const reply: Reply = (datagram) => {
      if (!this.#isClosed) this.#socket.send(datagram, client.port, client.address); // no callback: it costs a tick
    };
    const association = this.#associate(client, reply, () => {
      this.#associations.delete(key);
      this.#closeWhenDrained();
    });
    if (association !== undefined) this.#associations.set(key, association);
    return association;
  }

  #closeWhenDrained(): void {
    if (this.#isDraining && this.#associations.size === 0) this.#close();
  }
}
