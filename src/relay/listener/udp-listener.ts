import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import type { IpFamily } from '../../lib/ip-address.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { familiesOf, type OpenListener } from './listener.ts';
import { literalAddress } from '../dns/lookup.ts';
import type { BoundHandle } from '../net/channel.ts';

/** Receive buffer, which the kernel caps at net.core.rmem_max; its default holds three full datagrams. */
const receiveBufferBytes = 4 * 1024 * 1024;

/** While the listener drains, an association ends after this silence. */
const drainIdleMs = 2000;

/** What a UDP listener binds, and how it serves its clients. */
export type UdpListenerOptions = {
  readonly address: string;
  readonly port: number;
  readonly ipv6Only: boolean;
  readonly log: Logger;
  /** `net.ipv6.bindv6only` of the system, which Node.js can switch on for a UDP socket, but not off. */
  readonly isIpv6OnlySystem: boolean;
  /** A bound socket; absent = to be bound. */
  readonly handle?: BoundHandle;
  readonly associate: Associate;
};

/**
 * Creates the association of a client that has none.
 *
 * @param reply     sends a datagram to that client.
 * @param onClosed  to be called when the association has ended.
 * @returns undefined if a limit or a source filter does not allow it: the datagram is dropped.
 */
type Associate = (client: UdpClient, reply: Reply, onClosed: () => void) => UdpSession | undefined;

/** The association of one client, as the listener uses it. */
export type UdpSession = {
  /** Sends the client's datagram to the remote. */
  readonly send: (datagram: Uint8Array) => void;
  /** Makes it end after `timeoutMs` of silence from now on. */
  readonly limitIdle: (timeoutMs: number) => void;
  /** Ends it at once. */
  readonly close: (end: 'Stopped') => void;
};

/** The source of datagrams. */
export type UdpClient = {
  readonly address: string;
  readonly port: number;
  /** What the socket is bound to that it sent to: a wildcard address does not tell which one it asked. */
  readonly local: { readonly address: string; readonly port: number };
};

/** Sends one datagram to a client; a failure affects no other client. */
export type Reply = (datagram: Uint8Array) => void;

/**
 * Listens on UDP, with one association per client. Sets neither SO_REUSEADDR nor SO_REUSEPORT, with which two sockets
 * could bind one port and the kernel would silently split the traffic.
 *
 * @throws the kernel's error, for example EADDRINUSE.
 */
export async function listenUdp(options: UdpListenerOptions): Promise<OpenListener> {
  const { address, port, ipv6Only, isIpv6OnlySystem, handle, log } = options;
  const socket = createSocket({
    type: isIPv6(address) ? 'udp6' : 'udp4',
    ipv6Only,
    recvBufferSize: receiveBufferBytes,
    lookup: literalAddress,
  });
  if (isIpv6OnlySystem && !ipv6Only && familiesOf(address, ipv6Only).length === 2) {
    log.warn({ address, port }, 'socket receives no IPv4 datagrams, net.ipv6.bindv6only is 1: set it to 0');
  }
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
  return new UdpListener(socket, options);
}

/** Whether IPv6 sockets of this system exclude IPv4 by default: `net.ipv6.bindv6only`. */
export function isIpv6OnlySystem(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv6/bindv6only', 'utf8').trim() === '1';
  } catch {
    return false; // not Linux, or no IPv6
  }
}

class UdpListener implements OpenListener {
  readonly address: string;
  readonly port: number;
  readonly families: readonly IpFamily[];
  readonly #socket: Socket;
  readonly #associate: Associate;
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
      this.#onDatagram(datagram, client);
    });
    socket.on('error', () => undefined); // reported by the association that it concerns
  }

  close(): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  /** Node.js cannot stop to receive and still send, so that answers under way are lost. */
  release(): Promise<void> {
    return this.close();
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

  #onDatagram(datagram: Buffer, { address, port }: RemoteInfo): void {
    if (port === 0) return; // cannot be answered: Node.js throws for port 0
    const key = `${address} ${String(port)}`;
    let association = this.#associations.get(key);
    if (association === undefined) {
      if (this.#isDraining) return;
      const local = { address: this.address, port: this.port };
      association = this.#newAssociation(key, { address, port, local });
    }
    association?.send(datagram);
  }

  #newAssociation(key: string, client: UdpClient): UdpSession | undefined {
    const reply: Reply = (datagram) => {
      if (!this.#isClosed) this.#socket.send(datagram, client.port, client.address); // without a callback, which would cost a tick
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
