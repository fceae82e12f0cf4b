import type { IpFamily } from '../../lib/ip-address.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type {
  DatagramClient,
  DatagramSession,
  UdpListeningSocket,
  UdpListenOptions,
  UdpStack,
} from '../net/datagrams.ts';
import { familiesOf, type OpenListener } from './listener.ts';

/** While the listener drains, an association ends after this silence. */
const drainIdleMs = 2000;

/** What a UDP listener binds, and how it serves its clients. */
export type UdpListenerOptions = Omit<UdpListenOptions, 'onClient'> & {
  readonly udp: UdpStack;
  readonly log: Logger;
  readonly associate: Associate;
};

/**
 * Creates the association of a client that has none.
 *
 * @param onClosed  to be called when the association has ended.
 * @returns undefined if a limit or a source filter does not allow it: the datagram is dropped.
 */
type Associate = (client: DatagramClient, onClosed: () => void) => UdpSession | undefined;

/** The association of one client, as the listener uses it. */
export type UdpSession = DatagramSession & {
  /** Makes it end after `timeoutMs` of silence from now on. */
  readonly limitIdle: (timeoutMs: number) => void;
  /** Ends it at once. */
  readonly close: (end: 'Stopped') => void;
};

/**
 * Listens on UDP, with one association per client.
 *
 * @throws the kernel's error, for example EADDRINUSE.
 */
export async function listenUdp(options: UdpListenerOptions): Promise<OpenListener> {
  const onClient = (client: DatagramClient): DatagramSession | undefined => listener.serve(client);
  const listener: UdpListener = new UdpListener(await options.udp.listen({ ...options, onClient }), options);
  return listener;
}

class UdpListener implements OpenListener {
  readonly address: string;
  readonly port: number;
  readonly families: readonly IpFamily[];
  readonly sockets: number;
  readonly #socket: UdpListeningSocket;
  readonly #associate: Associate;
  readonly #associations = new Set<UdpSession>();
  #isDraining = false;
  #isClosed = false;

  constructor(socket: UdpListeningSocket, { address, ipv6Only, associate, log }: UdpListenerOptions) {
    this.address = address;
    this.port = socket.port;
    this.sockets = socket.sockets;
    this.families = familiesOf(address, socket.isIpv6Only);
    this.#socket = socket;
    this.#associate = associate;
    if (this.families.length === familiesOf(address, ipv6Only).length) return;
    log.warn(
      { address, port: this.port },
      'socket receives no IPv4 datagrams, net.ipv6.bindv6only is 1: set it to 0',
    );
  }

  /** The association of a client that has none. */
  serve(client: DatagramClient): DatagramSession | undefined {
    if (this.#isDraining || this.#isClosed) return undefined;
    const association = this.#associate(client, () => {
      client.forget();
      if (association !== undefined) this.#associations.delete(association);
      this.#closeWhenDrained();
    });
    if (association !== undefined) this.#associations.add(association);
    return association;
  }

  close(): Promise<void> {
    return this.#close();
  }

  /** Answers under way still reach their clients, if the engine can do that. */
  release(): Promise<void> {
    return this.#socket.stopReceiving() ? this.drain() : this.close();
  }

  drain(): Promise<void> {
    this.#isDraining = true;
    for (const association of this.#associations) association.limitIdle(drainIdleMs);
    this.#closeWhenDrained();
    return Promise.resolve();
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const association of [...this.#associations]) association.close('Stopped');
    await this.#socket.close();
  }

  #closeWhenDrained(): void {
    if (this.#isDraining && this.#associations.size === 0) void this.#close();
  }
}
